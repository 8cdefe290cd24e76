-- Sign-in, signing keys and the doctors' queue of the console.

CREATE TABLE session (
  token_hash VARCHAR(100) NOT NULL PRIMARY KEY,               -- SHA-256 of the cookie; the cookie itself is stored nowhere
  person     VARCHAR(400) NOT NULL,                  -- as the audit log names them
  display    VARCHAR(400) NOT NULL,
  roles      VARCHAR(100) NOT NULL,                  -- separated by spaces
  licence    VARCHAR(100) NULL,
  way        VARCHAR(100) NOT NULL,                  -- oidc, smart or sample
  created_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX session_end ON session (ends_at);

CREATE TABLE sign_in (
  cookie_hash  VARCHAR(100) NOT NULL PRIMARY KEY,             -- binds the answer of the authorisation server to the browser that asked
  state        VARCHAR(100) NOT NULL,
  nonce        VARCHAR(100) NOT NULL,
  verifier     VARCHAR(100) NOT NULL,
  redirect_uri VARCHAR(400) NOT NULL,
  return_to    VARCHAR(400) NOT NULL,
  way          VARCHAR(100) NOT NULL,
  created_at   BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
