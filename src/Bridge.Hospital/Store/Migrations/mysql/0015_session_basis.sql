-- What a session was opened by: where that is so no longer, it is over. Those of before are.

DELETE FROM session;
ALTER TABLE session ADD COLUMN basis VARCHAR(100) NOT NULL DEFAULT '';     -- digest of the configuration that gave the roles
ALTER TABLE session ADD COLUMN dismissed BIGINT NOT NULL DEFAULT 0;  -- how many certificates of the licence had been revoked then, other than for the key's own sake
