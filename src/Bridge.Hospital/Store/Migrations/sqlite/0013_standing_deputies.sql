-- Whom a doctor names for what she leaves too long, away or not.

CREATE TABLE standing_deputy (
  licence TEXT PRIMARY KEY,
  deputy  TEXT NOT NULL,
  set_by  TEXT NOT NULL,
  set_at  INTEGER NOT NULL
);
CREATE INDEX standing_deputy_deputy ON standing_deputy (deputy);
