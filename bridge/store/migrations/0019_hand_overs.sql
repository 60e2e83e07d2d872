-- Who hands a mail over just now: it stays that node's own for as long as the node lives.
ALTER TABLE outbox ADD COLUMN node TEXT;
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE state = 'due' AND node IS NULL;
CREATE INDEX outbox_claimed ON outbox (node) WHERE node IS NOT NULL;
