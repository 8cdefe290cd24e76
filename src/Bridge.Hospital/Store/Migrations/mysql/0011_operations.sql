-- What jobs ran, for operators: one row for a stretch of runs of one job on one instance that ended alike. The newest of each job are kept.

CREATE TABLE job_run (
  run_id        BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  job           VARCHAR(100) NOT NULL,
  instance      VARCHAR(100) NOT NULL,
  began_at      BIGINT NOT NULL,              -- of the first run
  last_began_at BIGINT NOT NULL,
  ended_at      BIGINT NOT NULL,              -- of the last one
  runs          BIGINT NOT NULL,
  total_ms      BIGINT NOT NULL,
  longest_ms    BIGINT NOT NULL,
  outcome       VARCHAR(100) NOT NULL,
  fault         TEXT NULL,
  UNIQUE (job, instance, began_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX job_run_job ON job_run (job, run_id);
