-- How far each enrolled patient was read, where a FHIR server searches within a patient only.

CREATE TABLE roster (
  patient_key  VARCHAR(100) NOT NULL PRIMARY KEY,
  enrolment_id BIGINT NOT NULL REFERENCES enrolment (enrolment_id),
  seen         LONGTEXT NOT NULL,                -- the patient's own watch cursor
  swept_at     BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX roster_enrolment ON roster (enrolment_id);

ALTER TABLE reconciliation ADD COLUMN scope VARCHAR(100) NOT NULL DEFAULT 'Server';     -- or Enrolled: only enrolled patients' encounters could be counted
