-- Doctors who are away, those who stand in for them, and what waits too long.

CREATE TABLE absence (
  absence_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  licence    VARCHAR(100) NOT NULL,
  deputy     VARCHAR(100) NOT NULL,
  from_at    BIGINT NOT NULL,
  until_at   BIGINT NOT NULL,
  set_by     VARCHAR(400) NOT NULL,
  set_at     BIGINT NOT NULL,
  ended_at   BIGINT NULL                    -- taken back, or over before its time
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX absence_licence ON absence (licence, until_at);
CREATE INDEX absence_until ON absence (until_at);

ALTER TABLE summary ADD COLUMN for_licence VARCHAR(100) NULL;    -- whose it is while another has it
ALTER TABLE summary ADD COLUMN for_why VARCHAR(100) NULL;        -- Absent, or Waited: why another has it
ALTER TABLE summary ADD COLUMN waits_since BIGINT NULL;          -- in this queue; null where no doctor has it
ALTER TABLE summary ADD COLUMN reminded_at BIGINT NULL;
UPDATE summary SET waits_since = UNIX_TIMESTAMP() * 1000 WHERE status = 'AwaitingCoSign' AND doctor_licence IS NOT NULL;
CREATE INDEX summary_stand_in ON summary (for_why, status, for_licence, doctor_licence);
CREATE INDEX summary_waits ON summary (status, waits_since);
CREATE INDEX summary_remind ON summary (status, reminded_at, waits_since);

ALTER TABLE retraction ADD COLUMN for_licence VARCHAR(100) NULL;
ALTER TABLE retraction ADD COLUMN for_why VARCHAR(100) NULL;
ALTER TABLE retraction ADD COLUMN waits_since BIGINT NULL;
ALTER TABLE retraction ADD COLUMN reminded_at BIGINT NULL;
UPDATE retraction SET waits_since = UNIX_TIMESTAMP() * 1000 WHERE state = 'AwaitingCoSign' AND doctor_licence IS NOT NULL;
