-- Doctors who are away, those who stand in for them, and what waits too long.

CREATE TABLE absence (
  absence_id INTEGER PRIMARY KEY AUTOINCREMENT,
  licence    TEXT NOT NULL,
  deputy     TEXT NOT NULL,
  from_at    INTEGER NOT NULL,
  until_at   INTEGER NOT NULL,
  set_by     TEXT NOT NULL,
  set_at     INTEGER NOT NULL,
  ended_at   INTEGER NULL                    -- taken back, or over before its time
);
CREATE INDEX absence_licence ON absence (licence, until_at);
CREATE INDEX absence_until ON absence (until_at);

ALTER TABLE summary ADD COLUMN for_licence TEXT NULL;    -- whose it is while another has it
ALTER TABLE summary ADD COLUMN for_why TEXT NULL;        -- Absent, or Waited: why another has it
ALTER TABLE summary ADD COLUMN waits_since INTEGER NULL; -- in this queue; null where no doctor has it
ALTER TABLE summary ADD COLUMN reminded_at INTEGER NULL;
UPDATE summary SET waits_since = CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE status = 'AwaitingCoSign' AND doctor_licence IS NOT NULL;
CREATE INDEX summary_stand_in ON summary (for_why, status, for_licence, doctor_licence);
CREATE INDEX summary_waits ON summary (status, waits_since);
CREATE INDEX summary_remind ON summary (status, reminded_at, waits_since);

ALTER TABLE retraction ADD COLUMN for_licence TEXT NULL;
ALTER TABLE retraction ADD COLUMN for_why TEXT NULL;
ALTER TABLE retraction ADD COLUMN waits_since INTEGER NULL;
ALTER TABLE retraction ADD COLUMN reminded_at INTEGER NULL;
UPDATE retraction SET waits_since = CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE state = 'AwaitingCoSign' AND doctor_licence IS NOT NULL;
