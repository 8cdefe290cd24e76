CREATE TABLE retraction (
  retraction_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  row_id          INTEGER NOT NULL REFERENCES summary (row_id),
  open_row        INTEGER NULL UNIQUE,         -- = row_id until it is done or void: a summary is taken back once at a time
  summary_id      TEXT NOT NULL,
  reason          TEXT NOT NULL,
  state           TEXT NOT NULL,
  revision        INTEGER NOT NULL DEFAULT 1,
  doctor_licence  TEXT NULL,
  doctor_handle   TEXT NULL,
  decision_id     INTEGER NULL REFERENCES decision (decision_id),
  input           TEXT NULL,                   -- the transaction's private input, the same bytes at every attempt
  tx_id           TEXT NULL,
  last_code       TEXT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  lease_owner     TEXT NULL,
  lease_until     INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL
);
CREATE INDEX retraction_due ON retraction (state, next_attempt_at);
CREATE INDEX retraction_queue ON retraction (doctor_licence, state, retraction_id);
CREATE INDEX retraction_row ON retraction (row_id);

-- What an earlier version anchored of encounters that moved to another patient, and only held.
INSERT INTO retraction (row_id, open_row, summary_id, reason, state, doctor_licence, created_at, updated_at)
  SELECT row_id, row_id, summary_id, 'WrongPatient', 'AwaitingCoSign', doctor_licence, updated_at, updated_at
  FROM summary WHERE status = 'Anchored' AND reason = 'PatientMoved';

CREATE TABLE patient_link (
  from_key     TEXT PRIMARY KEY,               -- a patient record of the source that was merged into another
  into_key     TEXT NOT NULL,
  enrolment_id INTEGER NOT NULL REFERENCES enrolment (enrolment_id),
  seen_at      INTEGER NOT NULL
);
CREATE INDEX patient_link_enrolment ON patient_link (enrolment_id);

CREATE TABLE patient_walk (
  patient_key TEXT PRIMARY KEY,                -- whose encounters are all to be read again
  asked_at    INTEGER NOT NULL
);

ALTER TABLE enrolment ADD COLUMN swept_at INTEGER NULL;
