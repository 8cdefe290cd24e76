-- Times are unix milliseconds in UTC; keys of the FHIR server are its logical ids.

CREATE TABLE enrolment (
  enrolment_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  patient_key     TEXT NOT NULL,
  active_key      TEXT NULL UNIQUE,           -- = patient_key while open or live: one at a time
  state           TEXT NOT NULL,
  revision        INTEGER NOT NULL DEFAULT 1,
  code            BLOB NULL,                  -- the ten secret bytes, wiped when spent
  code_id         TEXT NOT NULL UNIQUE,
  ca_digests      TEXT NOT NULL,
  guardian        INTEGER NOT NULL DEFAULT 0,
  opened_by       TEXT NOT NULL,
  opened_at       INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  request_handle  TEXT NULL,
  spki            BLOB NULL,
  pseudonym       TEXT NULL,
  consent         TEXT NULL,
  consent_id      TEXT NULL,
  consent_until   INTEGER NULL,
  purposes        TEXT NULL,
  certificate     TEXT NULL,
  patient_handle  TEXT NULL,
  consent_handle  TEXT NULL,
  index_handle    TEXT NULL,
  input           TEXT NULL,                  -- the transaction's private input, the same bytes at every attempt
  tx_id           TEXT NULL,
  enrolled_at     INTEGER NULL,
  ended_at        INTEGER NULL,
  end_reason      TEXT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  last_code       TEXT NULL,
  lease_owner     TEXT NULL,
  lease_until     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX enrolment_state ON enrolment (state, next_attempt_at);
CREATE INDEX enrolment_pseudonym ON enrolment (pseudonym);
CREATE INDEX enrolment_handles ON enrolment (consent_handle);

CREATE TABLE summary (
  row_id            INTEGER PRIMARY KEY AUTOINCREMENT,
  summary_id        TEXT NOT NULL UNIQUE,
  encounter_key     TEXT NOT NULL,
  encounter_version TEXT NOT NULL,
  generation        INTEGER NOT NULL,
  is_current        INTEGER NOT NULL,          -- 1 for the newest row of an encounter: the one that is counted
  patient_key       TEXT NOT NULL,
  enrolment_id      INTEGER NOT NULL REFERENCES enrolment (enrolment_id),
  pseudonym         TEXT NOT NULL,
  status            TEXT NOT NULL,
  reason            TEXT NULL,
  revision          INTEGER NOT NULL,          -- compare-and-set counter of every change
  class             TEXT NULL,
  period            TEXT NULL,
  finished_at       INTEGER NOT NULL,
  changed_at        INTEGER NOT NULL,
  ready_at          INTEGER NOT NULL,
  doctor_licence    TEXT NULL,
  doctor_ref        TEXT NULL,
  draft             TEXT NULL,                 -- where each field came from and why it leaves
  payload           BLOB NULL,                 -- the exact bytes to be signed
  supersedes        TEXT NULL,
  content_digest    TEXT NULL,                 -- what the draft says, as one digest: tells a change from a mere touch
  queued_at         INTEGER NULL,
  attempts          INTEGER NOT NULL DEFAULT 0,
  lease_owner       TEXT NULL,
  lease_until       INTEGER NOT NULL DEFAULT 0,
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL,
  UNIQUE (encounter_key, generation)
);
CREATE INDEX summary_due ON summary (status, ready_at);
CREATE INDEX summary_queue ON summary (doctor_licence, status, queued_at, row_id);
CREATE INDEX summary_patient ON summary (patient_key, finished_at, row_id);
CREATE INDEX summary_enrolment ON summary (enrolment_id, status);

CREATE TABLE decision (
  decision_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  row_id         INTEGER NOT NULL REFERENCES summary (row_id),
  summary_id     TEXT NOT NULL,
  kind           TEXT NOT NULL,
  person         TEXT NOT NULL,
  licence        TEXT NOT NULL,
  handle         TEXT NULL,
  thumbprint     TEXT NULL,
  reason         TEXT NULL,
  protected      TEXT NULL,
  signature      TEXT NULL,
  payload_digest TEXT NULL,
  decided_at     INTEGER NOT NULL,
  voided_at      INTEGER NULL,
  void_reason    TEXT NULL
);
CREATE INDEX decision_row ON decision (row_id);

CREATE TABLE anchor (
  anchor_id       INTEGER PRIMARY KEY AUTOINCREMENT,
  row_id          INTEGER NOT NULL REFERENCES summary (row_id),
  active_row      INTEGER NULL UNIQUE,         -- = row_id unless void: a summary is on its way at most once
  decision_id     INTEGER NOT NULL REFERENCES decision (decision_id),
  summary_id      TEXT NOT NULL,
  pseudonym       TEXT NOT NULL,
  state           TEXT NOT NULL,
  not_before      INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  doctor_handle   TEXT NOT NULL,
  item            TEXT NULL,                   -- the transaction's private input, the same bytes at every attempt
  batch           TEXT NULL,
  tx_id           TEXT NULL,
  last_code       TEXT NULL,
  lease_owner     TEXT NULL,
  lease_until     INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL
);
CREATE INDEX anchor_due ON anchor (state, next_attempt_at);
CREATE INDEX anchor_patient ON anchor (pseudonym, state);

CREATE TABLE receipt (
  row_id       INTEGER PRIMARY KEY REFERENCES summary (row_id),
  summary_id   TEXT NOT NULL UNIQUE,
  tx_id        TEXT NULL,
  block_number INTEGER NULL,
  event_id     TEXT NOT NULL,
  signed       TEXT NULL,                      -- the signed summary as it was anchored; wiped on erasure and withdrawal
  committed_at INTEGER NOT NULL
);

CREATE TABLE doctor (
  handle      TEXT PRIMARY KEY,
  hospital    TEXT NOT NULL,
  thumbprint  TEXT NOT NULL UNIQUE,
  certificate TEXT NOT NULL,
  name        TEXT NOT NULL,
  licence     TEXT NOT NULL,
  status      TEXT NOT NULL,
  not_before  INTEGER NOT NULL,
  not_after   INTEGER NOT NULL,
  stored      TEXT NOT NULL,                   -- the ledger's value, byte for byte
  synced_at   INTEGER NOT NULL
);
CREATE INDEX doctor_licence ON doctor (hospital, licence, status);

CREATE TABLE practitioner (
  practitioner_key TEXT PRIMARY KEY,
  licence          TEXT NOT NULL,
  set_by           TEXT NOT NULL,
  set_at           INTEGER NOT NULL
);

CREATE TABLE directory_task (
  task_id         INTEGER PRIMARY KEY AUTOINCREMENT,
  kind            TEXT NOT NULL,
  subject         TEXT NOT NULL,               -- hospital/handle: one open task of a kind
  open_subject    TEXT NULL UNIQUE,
  input           TEXT NOT NULL,
  state           TEXT NOT NULL,
  last_code       TEXT NULL,
  tx_id           TEXT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL,
  lease_owner     TEXT NULL,
  lease_until     INTEGER NOT NULL DEFAULT 0,
  created_by      TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL
);

CREATE TABLE status_list (
  seq          INTEGER PRIMARY KEY,
  list         TEXT NOT NULL,
  salt         TEXT NOT NULL,
  next_update  INTEGER NOT NULL,
  tx_id        TEXT NULL,
  published_at INTEGER NULL
);

CREATE TABLE note (
  event_id        TEXT PRIMARY KEY,
  status          TEXT NOT NULL,
  what            TEXT NULL,
  handle          TEXT NULL,
  heard_at        INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  handled_at      INTEGER NULL,
  outcome         TEXT NULL
);
CREATE INDEX note_due ON note (handled_at, next_attempt_at);

CREATE TABLE sweep (
  enrolment_id INTEGER PRIMARY KEY REFERENCES enrolment (enrolment_id),
  patient_key  TEXT NOT NULL,
  created_at   INTEGER NOT NULL
);

CREATE TABLE bookmark (
  name       TEXT PRIMARY KEY,
  content    TEXT NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE lease (
  name     TEXT PRIMARY KEY,
  owner    TEXT NOT NULL,
  until_at INTEGER NOT NULL
);

CREATE TABLE reconciliation (
  at              INTEGER PRIMARY KEY,
  server_finished INTEGER NOT NULL,
  not_enrolled    INTEGER NOT NULL,
  known           INTEGER NOT NULL,
  difference      INTEGER NOT NULL
);

CREATE TABLE audit (
  seq      INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  person   TEXT NOT NULL,
  role     TEXT NOT NULL,
  action   TEXT NOT NULL,
  subject  TEXT NOT NULL,
  detail   TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash     TEXT NOT NULL
);
CREATE TABLE audit_head (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  seq  INTEGER NOT NULL,
  hash TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '');
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
