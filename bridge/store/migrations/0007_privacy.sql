-- What still has a text, and what has none any more: each by the time from which its keeping counts.
CREATE INDEX sms_with_text ON sms (state_since, id)
    WHERE text <> '' AND state IN ('delivered', 'failed', 'refused', 'expired', 'cancelled', 'unconfirmed');
CREATE INDEX sms_without_text ON sms (state_since, id)
    WHERE text = '' AND state IN ('delivered', 'failed', 'refused', 'expired', 'cancelled', 'unconfirmed');
CREATE INDEX event_with_text ON event (at, id) WHERE kept_until IS NULL AND (raw <> '' OR text <> '');
CREATE INDEX event_of_none ON event (at, id) WHERE sms_id IS NULL AND kept_until IS NULL;
CREATE INDEX outbox_with_text ON outbox (created_at, id)
    WHERE state <> 'due' AND (raw IS NOT NULL OR facts <> '[]' OR subject <> '');
CREATE INDEX outbox_of_none ON outbox (created_at, id) WHERE sms_id IS NULL AND mail_id IS NULL AND state <> 'due';

-- Who did what, by command or page. Rows are only added: see the triggers of each engine.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,                 -- the user of the system who gave the command
    via TEXT NOT NULL,                 -- command, or service
    what TEXT NOT NULL,
    about TEXT NOT NULL,               -- id of what it was done to
    details TEXT NOT NULL              -- bounded; numbers masked, never a text
);
