-- Signing keys of doctors' browsers, and what doctors do in the queue besides signing and declining.

CREATE TABLE key_request (
  request_id INTEGER PRIMARY KEY AUTOINCREMENT,
  licence    TEXT NOT NULL,
  person     TEXT NOT NULL,
  display    TEXT NOT NULL,
  key_id     TEXT NOT NULL UNIQUE,             -- SHA-256 of the public key, base64url
  request    TEXT NOT NULL,                    -- certificate request (PKCS #10), base64
  state      TEXT NOT NULL,
  reason     TEXT NULL,
  asked_at   INTEGER NOT NULL,
  ended_at   INTEGER NULL
);
CREATE INDEX key_request_licence ON key_request (licence);
CREATE INDEX key_request_state ON key_request (state);

ALTER TABLE doctor ADD COLUMN lost_at INTEGER NULL;      -- its owner reported the key lost: it signs nothing here from then on

ALTER TABLE decision ADD COLUMN struck TEXT NULL;        -- codes that the doctor took out before she signed

CREATE TABLE not_mine (
  row_id  INTEGER NOT NULL REFERENCES summary (row_id),
  licence TEXT NOT NULL,
  said_at INTEGER NOT NULL,
  PRIMARY KEY (row_id, licence)
);
