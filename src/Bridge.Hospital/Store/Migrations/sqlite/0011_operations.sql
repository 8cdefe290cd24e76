-- What jobs ran, for operators: one row for a stretch of runs of one job on one instance that ended alike. The newest of each job are kept.

CREATE TABLE job_run (
  run_id        INTEGER PRIMARY KEY AUTOINCREMENT,
  job           TEXT NOT NULL,
  instance      TEXT NOT NULL,
  began_at      INTEGER NOT NULL,              -- of the first run
  last_began_at INTEGER NOT NULL,
  ended_at      INTEGER NOT NULL,              -- of the last one
  runs          INTEGER NOT NULL,
  total_ms      INTEGER NOT NULL,
  longest_ms    INTEGER NOT NULL,
  outcome       TEXT NOT NULL,
  fault         TEXT NULL,
  UNIQUE (job, instance, began_at)
);
CREATE INDEX job_run_job ON job_run (job, run_id);
