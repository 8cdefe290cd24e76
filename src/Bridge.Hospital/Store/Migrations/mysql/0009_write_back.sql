-- What the hospital's own FHIR server is told of anchored summaries.

CREATE TABLE provenance (
  provenance_id   BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  row_id          BIGINT NOT NULL REFERENCES summary (row_id),
  event           VARCHAR(100) NOT NULL,
  tag             VARCHAR(100) NOT NULL UNIQUE,        -- random: the server knows a repeat by it
  state           VARCHAR(100) NOT NULL,
  resource_id     VARCHAR(100) NULL,                   -- of the server
  occurred_at     BIGINT NOT NULL,
  last_code       VARCHAR(100) NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  next_attempt_at BIGINT NOT NULL DEFAULT 0,
  lease_owner     VARCHAR(100) NULL,
  lease_until     BIGINT NOT NULL DEFAULT 0,
  created_at      BIGINT NOT NULL,
  UNIQUE (row_id, event)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX provenance_due ON provenance (state, next_attempt_at);
CREATE INDEX receipt_committed ON receipt (committed_at);
CREATE INDEX summary_updated ON summary (status, updated_at);
