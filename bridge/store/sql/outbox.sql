-- Mails of ours, and alarms.

-- name: insert_outbox
INSERT INTO outbox (kind, state, "to", message_id, bounce_key, created_at, due_at, attempts, facts, correction,
                    sms_id, mail_id, "group", brand, subject, error, bounced, raw)
VALUES (:kind, :state, :to, :message_id, :bounce_key, :created_at, :due_at, 0, :facts, :correction,
        :sms_id, :mail_id, :group, :brand, '', '', 0, :raw);

-- name: outbox_due
SELECT {outbox}, o.raw FROM outbox o INDEXED BY outbox_due
WHERE o.state = 'due' AND o.node IS NULL AND o.due_at <= :now ORDER BY o.due_at, o.id LIMIT :limit {skip o};

-- name: take_outbox
UPDATE outbox SET node = :node, due_at = :until WHERE id = :id;

-- name: outbox_of_node
SELECT id FROM outbox o WHERE o.node = :node;

-- Claimed by a node that is gone; and whether for longer than a hand-over may take. A claim that ends later than any
-- that is made now was made before the clock was set back.
-- name: outbox_of_gone
SELECT o.id, o.due_at <= :now OR o.due_at > :latest FROM outbox o INDEXED BY outbox_claimed LEFT JOIN node n ON n.id = o.node
WHERE o.node IS NOT NULL AND o.node <> :us
AND (n.id IS NULL OR abs(:now - n.beat_at) >= n.gone_after)
ORDER BY o.id LIMIT :limit;

-- name: give_outbox_back
UPDATE outbox SET node = NULL, due_at = :now WHERE id = :id AND node IS NOT NULL;

-- name: give_all_outbox_back
UPDATE outbox SET node = NULL, due_at = :now WHERE node IS NOT NULL;

-- name: give_outbox_of_node_back
UPDATE outbox SET node = NULL, due_at = :now WHERE node = :node;

-- name: outbox_rendered
UPDATE outbox SET raw = :raw, subject = :subject WHERE id = :id AND raw IS NULL;

-- name: settle_outbox
UPDATE outbox SET state = :state, error = :error, attempts = attempts + 1, node = NULL
WHERE id = :id AND state = 'due';

-- name: outbox_later
UPDATE outbox SET due_at = :due_at, error = :error, attempts = attempts + 1, node = NULL
WHERE id = :id AND state = 'due' AND coalesce(node, '') = :node;

-- name: outbox_due_again
UPDATE outbox SET due_at = :now
WHERE state = 'due' AND node IS NULL AND due_at > :now AND created_at > :now AND attempts = 0;

-- name: outbox_of_bounce_key
SELECT id, "to", kind FROM outbox WHERE bounce_key = :key AND bounce_key <> '';

-- name: outbox_bounced
UPDATE outbox SET bounced = 1 WHERE id = :id AND bounced = 0;

-- name: outbox_of
SELECT {outbox} FROM outbox o WHERE o.id IN (
    SELECT id FROM outbox WHERE sms_id = :sms_id
    UNION SELECT id FROM outbox WHERE sms_id IS NULL AND mail_id IN (
        SELECT n.id FROM mail n WHERE n.batch = (SELECT m.batch FROM mail m WHERE m.id = :mail_id)
    )
) ORDER BY o.id LIMIT :limit;

-- name: list_outbox
SELECT {outbox} FROM outbox o WHERE o.id < :before ORDER BY o.id DESC LIMIT :limit;

-- name: outbox_mail
SELECT {outbox}, o.raw FROM outbox o WHERE o.id = :id;

-- name: alarm_told_at
SELECT told_at, times FROM alarm a WHERE a.key = :key {lock a};

-- One that never happened yet, so that there is a row to lock.
-- name: begin_alarm
INSERT INTO alarm (key, first_at, last_at, told_at, times, facts) VALUES (:key, :now, :now, 0, 0, '[]')
ON CONFLICT (key) DO NOTHING;

-- name: put_alarm
UPDATE alarm SET last_at = :now, told_at = :told_at, times = times + 1, facts = :facts WHERE key = :key;

-- name: forget_alarm
UPDATE alarm SET told_at = 0 WHERE key = :key;

-- name: drop_old_alarms
DELETE FROM alarm WHERE key IN (
    SELECT key FROM alarm ORDER BY last_at
    LIMIT (SELECT CASE WHEN count(*) > :most THEN count(*) - :most ELSE 0 END FROM alarm)
);

-- name: list_alarms
SELECT key, first_at, last_at, told_at, times, facts FROM alarm ORDER BY last_at DESC, key LIMIT :limit;
