-- What was said to doctors and operators about work that waits.

CREATE TABLE announcement (
  way             TEXT NOT NULL,          -- mail or task
  who             TEXT NOT NULL,          -- a licence, or operators
  slot            INTEGER NOT NULL DEFAULT 0,    -- the interval of the last mail
  name            TEXT NULL,              -- identifier of the Task that stands, or is being made
  resource_id     TEXT NULL,              -- of the server
  number          INTEGER NOT NULL DEFAULT 0,
  oldest          INTEGER NULL,
  overdue         INTEGER NOT NULL DEFAULT 0,
  first_at        INTEGER NULL,
  said_at         INTEGER NULL,
  last_code       TEXT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  lease_owner     TEXT NULL,
  lease_until     INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (way, who)
);
