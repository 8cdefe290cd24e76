-- How far each enrolled patient was read, where a FHIR server searches within a patient only.

CREATE TABLE roster (
  patient_key  TEXT NOT NULL PRIMARY KEY,
  enrolment_id INTEGER NOT NULL REFERENCES enrolment (enrolment_id),
  seen         TEXT NOT NULL,                    -- the patient's own watch cursor
  swept_at     INTEGER NOT NULL
);
CREATE INDEX roster_enrolment ON roster (enrolment_id);

ALTER TABLE reconciliation ADD COLUMN scope TEXT NOT NULL DEFAULT 'Server';     -- or Enrolled: only enrolled patients' encounters could be counted
