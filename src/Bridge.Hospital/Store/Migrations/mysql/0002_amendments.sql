CREATE TABLE retraction (
  retraction_id   BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  row_id          BIGINT NOT NULL REFERENCES summary (row_id),
  open_row        BIGINT NULL UNIQUE,         -- = row_id until it is done or void: a summary is taken back once at a time
  summary_id      VARCHAR(100) NOT NULL,
  reason          VARCHAR(100) NOT NULL,
  state           VARCHAR(100) NOT NULL,
  revision        BIGINT NOT NULL DEFAULT 1,
  doctor_licence  VARCHAR(100) NULL,
  doctor_handle   VARCHAR(100) NULL,
  decision_id     BIGINT NULL REFERENCES decision (decision_id),
  input           LONGTEXT NULL,                   -- the transaction's private input, the same bytes at every attempt
  tx_id           VARCHAR(100) NULL,
  last_code       VARCHAR(100) NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  next_attempt_at BIGINT NOT NULL DEFAULT 0,
  lease_owner     VARCHAR(100) NULL,
  lease_until     BIGINT NOT NULL DEFAULT 0,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX retraction_due ON retraction (state, next_attempt_at);
CREATE INDEX retraction_queue ON retraction (doctor_licence, state, retraction_id);
CREATE INDEX retraction_row ON retraction (row_id);

-- What an earlier version anchored of encounters that moved to another patient, and only held.
INSERT INTO retraction (row_id, open_row, summary_id, reason, state, doctor_licence, created_at, updated_at)
  SELECT row_id, row_id, summary_id, 'WrongPatient', 'AwaitingCoSign', doctor_licence, updated_at, updated_at
  FROM summary WHERE status = 'Anchored' AND reason = 'PatientMoved';

CREATE TABLE patient_link (
  from_key     VARCHAR(100) NOT NULL PRIMARY KEY,               -- a patient record of the source that was merged into another
  into_key     VARCHAR(100) NOT NULL,
  enrolment_id BIGINT NOT NULL REFERENCES enrolment (enrolment_id),
  seen_at      BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX patient_link_enrolment ON patient_link (enrolment_id);

CREATE TABLE patient_walk (
  patient_key VARCHAR(100) NOT NULL PRIMARY KEY,                -- whose encounters are all to be read again
  asked_at    BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

ALTER TABLE enrolment ADD COLUMN swept_at BIGINT NULL;
