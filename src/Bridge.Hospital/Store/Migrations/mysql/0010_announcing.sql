-- What was said to doctors and operators about work that waits.

CREATE TABLE announcement (
  way             VARCHAR(100) NOT NULL,          -- mail or task
  who             VARCHAR(400) NOT NULL,          -- a licence, or operators
  slot            BIGINT NOT NULL DEFAULT 0,    -- the interval of the last mail
  name            VARCHAR(100) NULL,              -- identifier of the Task that stands, or is being made
  resource_id     VARCHAR(100) NULL,              -- of the server
  number          BIGINT NOT NULL DEFAULT 0,
  oldest          BIGINT NULL,
  overdue         BIGINT NOT NULL DEFAULT 0,
  first_at        BIGINT NULL,
  said_at         BIGINT NULL,
  last_code       VARCHAR(100) NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  next_attempt_at BIGINT NOT NULL DEFAULT 0,
  lease_owner     VARCHAR(100) NULL,
  lease_until     BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (way, who)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
