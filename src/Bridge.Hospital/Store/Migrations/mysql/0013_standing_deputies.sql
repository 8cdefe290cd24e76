-- Whom a doctor names for what she leaves too long, away or not.

CREATE TABLE standing_deputy (
  licence VARCHAR(100) NOT NULL PRIMARY KEY,
  deputy  VARCHAR(100) NOT NULL,
  set_by  VARCHAR(400) NOT NULL,
  set_at  BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX standing_deputy_deputy ON standing_deputy (deputy);
