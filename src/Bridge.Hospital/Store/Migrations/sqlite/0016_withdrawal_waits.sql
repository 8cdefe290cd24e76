-- A withdrawal that waits for the enrolment to come to its end on the ledger.

ALTER TABLE enrolment ADD COLUMN withdraw_at INTEGER NULL;
ALTER TABLE enrolment ADD COLUMN withdraw_reason TEXT NULL;
