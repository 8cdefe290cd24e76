-- Sign-in, signing keys and the doctors' queue of the console.

CREATE TABLE session (
  token_hash TEXT PRIMARY KEY,               -- SHA-256 of the cookie; the cookie itself is stored nowhere
  person     TEXT NOT NULL,                  -- as the audit log names them
  display    TEXT NOT NULL,
  roles      TEXT NOT NULL,                  -- separated by spaces
  licence    TEXT NULL,
  way        TEXT NOT NULL,                  -- oidc, smart or sample
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  ends_at    INTEGER NOT NULL
);
CREATE INDEX session_end ON session (ends_at);

CREATE TABLE sign_in (
  cookie_hash  TEXT PRIMARY KEY,             -- binds the answer of the authorisation server to the browser that asked
  state        TEXT NOT NULL,
  nonce        TEXT NOT NULL,
  verifier     TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  return_to    TEXT NOT NULL,
  way          TEXT NOT NULL,
  created_at   INTEGER NOT NULL
);
