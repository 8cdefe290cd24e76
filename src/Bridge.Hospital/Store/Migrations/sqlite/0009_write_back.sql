-- What the hospital's own FHIR server is told of anchored summaries.

CREATE TABLE provenance (
  provenance_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  row_id          INTEGER NOT NULL REFERENCES summary (row_id),
  event           TEXT NOT NULL,
  tag             TEXT NOT NULL UNIQUE,        -- random: the server knows a repeat by it
  state           TEXT NOT NULL,
  resource_id     TEXT NULL,                   -- of the server
  occurred_at     INTEGER NOT NULL,
  last_code       TEXT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  lease_owner     TEXT NULL,
  lease_until     INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  UNIQUE (row_id, event)
);
CREATE INDEX provenance_due ON provenance (state, next_attempt_at);
CREATE INDEX receipt_committed ON receipt (committed_at);
CREATE INDEX summary_updated ON summary (status, updated_at);
