-- The oldest anchors that wait to leave, in their order: without it every look sorts all that wait.
CREATE INDEX anchor_queue ON anchor (state, anchor_id);
