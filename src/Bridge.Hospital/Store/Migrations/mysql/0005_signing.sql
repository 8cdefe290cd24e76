-- Signing keys of doctors' browsers, and what doctors do in the queue besides signing and declining.

CREATE TABLE key_request (
  request_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  licence    VARCHAR(100) NOT NULL,
  person     VARCHAR(400) NOT NULL,
  display    VARCHAR(400) NOT NULL,
  key_id     VARCHAR(100) NOT NULL UNIQUE,             -- SHA-256 of the public key, base64url
  request    TEXT NOT NULL,                    -- certificate request (PKCS #10), base64
  state      VARCHAR(100) NOT NULL,
  reason     TEXT NULL,
  asked_at   BIGINT NOT NULL,
  ended_at   BIGINT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX key_request_licence ON key_request (licence);
CREATE INDEX key_request_state ON key_request (state);

ALTER TABLE doctor ADD COLUMN lost_at BIGINT NULL;      -- its owner reported the key lost: it signs nothing here from then on

ALTER TABLE decision ADD COLUMN struck TEXT NULL;        -- codes that the doctor took out before she signed

CREATE TABLE not_mine (
  row_id  BIGINT NOT NULL REFERENCES summary (row_id),
  licence VARCHAR(100) NOT NULL,
  said_at BIGINT NOT NULL,
  PRIMARY KEY (row_id, licence)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
