-- Times are unix milliseconds in UTC; keys of the FHIR server are its logical ids.

CREATE TABLE enrolment (
  enrolment_id    BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  patient_key     VARCHAR(100) NOT NULL,
  active_key      VARCHAR(100) NULL UNIQUE,           -- = patient_key while open or live: one at a time
  state           VARCHAR(100) NOT NULL,
  revision        BIGINT NOT NULL DEFAULT 1,
  code            LONGBLOB NULL,                  -- the ten secret bytes, wiped when spent
  code_id         VARCHAR(100) NOT NULL UNIQUE,
  ca_digests      TEXT NOT NULL,
  guardian        BIGINT NOT NULL DEFAULT 0,
  opened_by       VARCHAR(400) NOT NULL,
  opened_at       BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL,
  request_handle  VARCHAR(100) NULL,
  spki            LONGBLOB NULL,
  pseudonym       VARCHAR(100) NULL,
  consent         LONGTEXT NULL,
  consent_id      VARCHAR(100) NULL,
  consent_until   BIGINT NULL,
  purposes        TEXT NULL,
  certificate     LONGTEXT NULL,
  patient_handle  VARCHAR(100) NULL,
  consent_handle  VARCHAR(100) NULL,
  index_handle    VARCHAR(100) NULL,
  input           LONGTEXT NULL,                  -- the transaction's private input, the same bytes at every attempt
  tx_id           VARCHAR(100) NULL,
  enrolled_at     BIGINT NULL,
  ended_at        BIGINT NULL,
  end_reason      VARCHAR(400) NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  next_attempt_at BIGINT NOT NULL DEFAULT 0,
  last_code       VARCHAR(100) NULL,
  lease_owner     VARCHAR(100) NULL,
  lease_until     BIGINT NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX enrolment_state ON enrolment (state, next_attempt_at);
CREATE INDEX enrolment_pseudonym ON enrolment (pseudonym);
CREATE INDEX enrolment_handles ON enrolment (consent_handle);

CREATE TABLE summary (
  row_id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  summary_id        VARCHAR(100) NOT NULL UNIQUE,
  encounter_key     VARCHAR(100) NOT NULL,
  encounter_version VARCHAR(100) NOT NULL,
  generation        BIGINT NOT NULL,
  is_current        BIGINT NOT NULL,          -- 1 for the newest row of an encounter: the one that is counted
  patient_key       VARCHAR(100) NOT NULL,
  enrolment_id      BIGINT NOT NULL REFERENCES enrolment (enrolment_id),
  pseudonym         VARCHAR(100) NOT NULL,
  status            VARCHAR(100) NOT NULL,
  reason            VARCHAR(400) NULL,
  revision          BIGINT NOT NULL,          -- compare-and-set counter of every change
  class             VARCHAR(100) NULL,
  period            VARCHAR(100) NULL,
  finished_at       BIGINT NOT NULL,
  changed_at        BIGINT NOT NULL,
  ready_at          BIGINT NOT NULL,
  doctor_licence    VARCHAR(100) NULL,
  doctor_ref        VARCHAR(100) NULL,
  draft             LONGTEXT NULL,                 -- where each field came from and why it leaves
  payload           LONGBLOB NULL,                 -- the exact bytes to be signed
  supersedes        VARCHAR(100) NULL,
  content_digest    VARCHAR(100) NULL,                 -- what the draft says, as one digest: tells a change from a mere touch
  queued_at         BIGINT NULL,
  attempts          BIGINT NOT NULL DEFAULT 0,
  lease_owner       VARCHAR(100) NULL,
  lease_until       BIGINT NOT NULL DEFAULT 0,
  created_at        BIGINT NOT NULL,
  updated_at        BIGINT NOT NULL,
  UNIQUE (encounter_key, generation)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX summary_due ON summary (status, ready_at);
CREATE INDEX summary_queue ON summary (doctor_licence, status, queued_at, row_id);
CREATE INDEX summary_patient ON summary (patient_key, finished_at, row_id);
CREATE INDEX summary_enrolment ON summary (enrolment_id, status);

CREATE TABLE decision (
  decision_id    BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  row_id         BIGINT NOT NULL REFERENCES summary (row_id),
  summary_id     VARCHAR(100) NOT NULL,
  kind           VARCHAR(100) NOT NULL,
  person         VARCHAR(400) NOT NULL,
  licence        VARCHAR(100) NOT NULL,
  handle         VARCHAR(100) NULL,
  thumbprint     VARCHAR(100) NULL,
  reason         VARCHAR(400) NULL,
  protected      TEXT NULL,
  signature      VARCHAR(100) NULL,
  payload_digest VARCHAR(100) NULL,
  decided_at     BIGINT NOT NULL,
  voided_at      BIGINT NULL,
  void_reason    VARCHAR(400) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX decision_row ON decision (row_id);

CREATE TABLE anchor (
  anchor_id       BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  row_id          BIGINT NOT NULL REFERENCES summary (row_id),
  active_row      BIGINT NULL UNIQUE,         -- = row_id unless void: a summary is on its way at most once
  decision_id     BIGINT NOT NULL REFERENCES decision (decision_id),
  summary_id      VARCHAR(100) NOT NULL,
  pseudonym       VARCHAR(100) NOT NULL,
  state           VARCHAR(100) NOT NULL,
  not_before      BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  doctor_handle   VARCHAR(100) NOT NULL,
  item            LONGTEXT NULL,                   -- the transaction's private input, the same bytes at every attempt
  batch           VARCHAR(100) NULL,
  tx_id           VARCHAR(100) NULL,
  last_code       VARCHAR(100) NULL,
  lease_owner     VARCHAR(100) NULL,
  lease_until     BIGINT NOT NULL DEFAULT 0,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX anchor_due ON anchor (state, next_attempt_at);
CREATE INDEX anchor_patient ON anchor (pseudonym, state);

CREATE TABLE receipt (
  row_id       BIGINT PRIMARY KEY REFERENCES summary (row_id),
  summary_id   VARCHAR(100) NOT NULL UNIQUE,
  tx_id        VARCHAR(100) NULL,
  block_number BIGINT NULL,
  event_id     VARCHAR(100) NOT NULL,
  signed       LONGTEXT NULL,                      -- the signed summary as it was anchored; wiped on erasure and withdrawal
  committed_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE doctor (
  handle      VARCHAR(100) PRIMARY KEY,
  hospital    VARCHAR(100) NOT NULL,
  thumbprint  VARCHAR(100) NOT NULL UNIQUE,
  certificate LONGTEXT NOT NULL,
  name        VARCHAR(400) NOT NULL,
  licence     VARCHAR(100) NOT NULL,
  status      VARCHAR(100) NOT NULL,
  not_before  BIGINT NOT NULL,
  not_after   BIGINT NOT NULL,
  stored      LONGTEXT NOT NULL,                   -- the ledger's value, byte for byte
  synced_at   BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX doctor_licence ON doctor (hospital, licence, status);

CREATE TABLE practitioner (
  practitioner_key VARCHAR(100) PRIMARY KEY,
  licence          VARCHAR(100) NOT NULL,
  set_by           VARCHAR(100) NOT NULL,
  set_at           BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE directory_task (
  task_id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  kind            VARCHAR(100) NOT NULL,
  subject         VARCHAR(400) NOT NULL,               -- hospital/handle: one open task of a kind
  open_subject    VARCHAR(400) NULL UNIQUE,
  input           LONGTEXT NOT NULL,
  state           VARCHAR(100) NOT NULL,
  last_code       VARCHAR(100) NULL,
  tx_id           VARCHAR(100) NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  next_attempt_at BIGINT NOT NULL,
  lease_owner     VARCHAR(100) NULL,
  lease_until     BIGINT NOT NULL DEFAULT 0,
  created_by      VARCHAR(100) NOT NULL,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE status_list (
  seq          BIGINT PRIMARY KEY,
  list         LONGTEXT NOT NULL,
  salt         VARCHAR(100) NOT NULL,
  next_update  BIGINT NOT NULL,
  tx_id        VARCHAR(100) NULL,
  published_at BIGINT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE note (
  event_id        VARCHAR(100) PRIMARY KEY,
  status          VARCHAR(100) NOT NULL,
  what            VARCHAR(100) NULL,
  handle          VARCHAR(100) NULL,
  heard_at        BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  handled_at      BIGINT NULL,
  outcome         VARCHAR(100) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE INDEX note_due ON note (handled_at, next_attempt_at);

CREATE TABLE sweep (
  enrolment_id BIGINT PRIMARY KEY REFERENCES enrolment (enrolment_id),
  patient_key  VARCHAR(100) NOT NULL,
  created_at   BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE bookmark (
  name       VARCHAR(100) PRIMARY KEY,
  content    LONGTEXT NOT NULL,
  updated_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE lease (
  name     VARCHAR(100) PRIMARY KEY,
  owner    VARCHAR(100) NOT NULL,
  until_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE reconciliation (
  at              BIGINT PRIMARY KEY,
  server_finished BIGINT NOT NULL,
  not_enrolled    BIGINT NOT NULL,
  known           BIGINT NOT NULL,
  difference      BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE audit (
  seq      BIGINT PRIMARY KEY,
  at       BIGINT NOT NULL,
  person   VARCHAR(400) NOT NULL,
  role     VARCHAR(100) NOT NULL,
  action   VARCHAR(100) NOT NULL,
  subject  VARCHAR(400) NOT NULL,
  detail   LONGTEXT NOT NULL,
  previous VARCHAR(100) NOT NULL,
  hash     VARCHAR(100) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE audit_head (
  one  BIGINT PRIMARY KEY CHECK (one = 1),
  seq  BIGINT NOT NULL,
  hash VARCHAR(100) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '');
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only';
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only';
