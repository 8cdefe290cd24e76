-- Signing out at the authorisation server, too.

ALTER TABLE session ADD COLUMN id_token TEXT NULL; -- sealed with a key of the cookie, which is stored nowhere
