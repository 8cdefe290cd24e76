-- The audit log is searched by person, act and subject; who goes off to sign in leaves nothing here until the authorisation server has let them in.

CREATE INDEX audit_person ON audit (person, seq);
CREATE INDEX audit_person_action ON audit (person, action, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX audit_subject ON audit (subject, seq);

DROP TABLE sign_in;
CREATE TABLE sign_in_done (
  state_hash TEXT PRIMARY KEY,               -- of the request that was answered: it counts once
  done_at    INTEGER NOT NULL
);
