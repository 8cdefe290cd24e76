-- A status list is parted where it grows beyond one signed text: which part this row is.
ALTER TABLE status_list ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
