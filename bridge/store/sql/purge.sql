-- What is kept no longer. Each list goes down its index from where the batch before ended (`since`, `last`).

-- name: texts_to_empty
SELECT s.state_since, s.id, s.mail_id FROM sms s INDEXED BY sms_with_text
WHERE s.text <> '' AND s.state IN {final}
AND s.state_since <= :until AND (s.state_since, s.id) > (:since, :last)
ORDER BY s.state_since, s.id LIMIT :limit {skip s};

-- name: records_to_drop
SELECT s.state_since, s.id, s.mail_id FROM sms s INDEXED BY sms_without_text
WHERE s.text = '' AND s.state IN {final}
AND s.state_since <= :until AND (s.state_since, s.id) > (:since, :last)
ORDER BY s.state_since, s.id LIMIT :limit {skip s};

-- name: events_to_empty
SELECT e.at, e.id, e.sms_id FROM event e INDEXED BY event_with_text
WHERE e.kept_until IS NULL AND (e.raw <> '' OR e.text <> '')
AND e.at <= :until AND (e.at, e.id) > (:since, :last)
ORDER BY e.at, e.id LIMIT :limit {skip e};

-- name: events_to_drop
SELECT e.at, e.id, e.sms_id FROM event e INDEXED BY event_of_none
WHERE e.sms_id IS NULL AND e.kept_until IS NULL
AND e.at <= :until AND (e.at, e.id) > (:since, :last)
ORDER BY e.at, e.id LIMIT :limit {skip e};

-- name: mails_to_empty
SELECT o.created_at, o.id, o.sms_id FROM outbox o INDEXED BY outbox_with_text
WHERE o.state <> 'due' AND (o.raw IS NOT NULL OR o.facts <> '[]' OR o.subject <> '')
AND o.created_at <= :until AND (o.created_at, o.id) > (:since, :last)
ORDER BY o.created_at, o.id LIMIT :limit {skip o};

-- name: mails_to_drop
SELECT o.created_at, o.id, o.sms_id FROM outbox o INDEXED BY outbox_of_none
WHERE o.sms_id IS NULL AND o.mail_id IS NULL AND o.state <> 'due'
AND o.created_at <= :until AND (o.created_at, o.id) > (:since, :last)
ORDER BY o.created_at, o.id LIMIT :limit {skip o};

-- name: count_texts_to_empty
SELECT count(*) FROM sms s INDEXED BY sms_with_text WHERE s.text <> '' AND s.state IN {final} AND s.state_since <= :until;

-- name: count_events_to_empty
SELECT count(*) FROM event e INDEXED BY event_with_text
WHERE e.kept_until IS NULL AND (e.raw <> '' OR e.text <> '') AND e.at <= :until;

-- name: count_mails_to_empty
SELECT count(*) FROM outbox o INDEXED BY outbox_with_text
WHERE o.state <> 'due' AND (o.raw IS NOT NULL OR o.facts <> '[]' OR o.subject <> '') AND o.created_at <= :until;

-- name: count_records_to_drop
SELECT (SELECT count(*) FROM sms s INDEXED BY sms_without_text
        WHERE s.text = '' AND s.state IN {final} AND s.state_since <= :until)
    + (SELECT count(*) FROM sms s INDEXED BY sms_with_text
       WHERE s.text <> '' AND s.state IN {final} AND s.state_since <= :until);

-- name: count_events_to_drop
SELECT count(*) FROM event e INDEXED BY event_of_none WHERE e.sms_id IS NULL AND e.kept_until IS NULL AND e.at <= :until;

-- name: count_mails_to_drop
SELECT count(*) FROM outbox o INDEXED BY outbox_of_none
WHERE o.sms_id IS NULL AND o.mail_id IS NULL AND o.state <> 'due' AND o.created_at <= :until;

-- name: sms_under_way
SELECT 1 FROM sms s WHERE s.id = :id AND s.state NOT IN {final};

-- A mail of ours that is still to be made or sent speaks of the SMS, or of its group.
-- name: sms_is_needed
SELECT 1 FROM mail m LEFT JOIN batch b ON b.id = m.batch WHERE m.id = :mail_id AND (
    b.summary_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM outbox o WHERE o.sms_id = :sms_id AND o.state = 'due')
    OR EXISTS (SELECT 1 FROM outbox o WHERE o.mail_id = m.id AND o.sms_id IS NULL AND o.state = 'due')
    OR EXISTS (SELECT 1 FROM outbox o WHERE o.mail_id = m.batch AND o.sms_id IS NULL AND o.state = 'due')
);

-- A reason that the vendor gave may quote the text.
-- name: empty_sms
UPDATE sms SET text = '',
    result = CASE WHEN length(text) >= 6 AND replace(result, substr(text, 1, 12), '') <> result THEN '' ELSE result END
WHERE id = :id
AND state IN {final};

-- name: notes_of
SELECT id, note FROM history WHERE sms_id = :sms_id AND note LIKE '%: %';

-- name: set_note
UPDATE history SET note = :note WHERE id = :id;

-- The subject is that of all mails of a group: it goes with the last text of the group, or that tells of one of it.
-- name: empty_subjects
UPDATE mail SET subject = '' WHERE subject <> '' AND batch = (SELECT m.batch FROM mail m WHERE m.id = :mail_id)
AND NOT EXISTS (SELECT 1 FROM mail n JOIN sms s ON s.mail_id = n.id WHERE n.batch = mail.batch AND s.text <> '')
AND NOT EXISTS (SELECT 1 FROM mail n JOIN joined_mail j ON j.mail_id = n.id JOIN sms s ON s.id = j.sms_id
                WHERE n.batch = mail.batch AND s.text <> '');

-- name: mails_joined_to
SELECT mail_id FROM joined_mail WHERE sms_id = :sms_id ORDER BY mail_id;

-- name: drop_same_of
DELETE FROM same_text WHERE fingerprint = :mark;

-- SQLite may give the id of a dropped SMS away again: what is joined to one must not meet another.
-- name: drop_joining_to
DELETE FROM same_text WHERE until > :since AND sms_id = :id;

-- For the same reason: what was counted of ids that are free again.
-- name: count_habits_from
UPDATE cursor SET value = (SELECT coalesce(max(id), 0) FROM sms)
WHERE name = 'habit' AND value > (SELECT coalesce(max(id), 0) FROM sms);

-- name: empty_event
UPDATE event SET raw = '', text = '' WHERE id = :id;

-- name: empty_outbox
UPDATE outbox SET raw = NULL, facts = '[]', subject = '' WHERE id = :id AND state <> 'due';

-- name: drop_history_of
DELETE FROM history WHERE sms_id = :id;

-- name: drop_vendor_ids_of
DELETE FROM vendor_id WHERE sms_id = :id;

-- name: drop_job_prices_of
DELETE FROM job_price WHERE sms_id = :id;

-- name: drop_reply_poll_of
DELETE FROM reply_poll WHERE sms_id = :id;

-- name: drop_events_of
DELETE FROM event WHERE sms_id = :id;

-- name: drop_outbox_of
DELETE FROM outbox WHERE sms_id = :id;

-- name: drop_sms
DELETE FROM sms WHERE id = :id AND state IN {final};

-- name: group_left
SELECT m.batch, EXISTS (SELECT 1 FROM mail n JOIN sms s ON s.mail_id = n.id WHERE n.batch = m.batch)
    OR EXISTS (SELECT 1 FROM mail n JOIN joined_mail j ON j.mail_id = n.id WHERE n.batch = m.batch)
FROM mail m WHERE m.id = :mail_id;

-- name: drop_outbox_of_group
DELETE FROM outbox WHERE mail_id IN (SELECT id FROM mail WHERE batch = :batch);

-- name: drop_batch
DELETE FROM batch WHERE id = :batch;

-- name: drop_mails_of_group
DELETE FROM mail WHERE batch = :batch;

-- name: drop_outbox
DELETE FROM outbox WHERE id = :id AND state <> 'due';

-- name: drop_alarms_before
DELETE FROM alarm WHERE last_at <= :until;

-- name: count_purged
INSERT INTO cursor (name, value) VALUES (:name, :count)
ON CONFLICT (name) DO UPDATE SET value = cursor.value + excluded.value;

-- name: purge_figures
SELECT name, value FROM cursor WHERE name IN ('purged at', 'purged texts', 'purged records');

-- A person who asks to be forgotten: all that was written to one number, or came from it.

-- name: sms_to
SELECT {sms} FROM sms s WHERE s.tail = :tail AND s.id > :after ORDER BY s.id LIMIT :limit {lock s};

-- name: count_sms_to
SELECT count(*) FROM sms WHERE tail = :tail;

-- name: under_way_to
SELECT {sms} FROM sms s WHERE s.tail = :tail
AND s.state NOT IN {final} ORDER BY s.id LIMIT :limit;

-- name: count_events_about
SELECT count(*) FROM event e JOIN sms s ON s.id = e.sms_id WHERE s.tail = :tail;

-- name: mails_due_about
SELECT o.id, o.created_at FROM sms s JOIN outbox o ON o.sms_id = s.id WHERE s.tail = :tail AND o.state = 'due'
UNION
SELECT o.id, o.created_at FROM sms s JOIN mail m ON m.id = s.mail_id JOIN outbox o ON o.mail_id IN (m.id, m.batch)
WHERE s.tail = :tail AND o.sms_id IS NULL AND o.state = 'due'
LIMIT :limit;

-- name: summary_due_about
SELECT b.summary_at FROM sms s JOIN mail m ON m.id = s.mail_id JOIN batch b ON b.id = m.batch
WHERE s.tail = :tail AND b.summary_at IS NOT NULL ORDER BY b.summary_at DESC LIMIT 1;

-- name: events_of_phone
SELECT e.id, e.phone FROM event e WHERE e.sms_id IS NULL AND e.phone LIKE :like AND e.id > :after ORDER BY e.id LIMIT :limit;

-- name: mails_that_name
SELECT o.id, o.kind, o.state, o.facts, o.created_at FROM outbox o
WHERE o.sms_id IS NULL AND o.mail_id IS NULL AND o.facts LIKE :like AND o.id > :after ORDER BY o.id LIMIT :limit;

-- name: wishes_that_name
SELECT m.id, m.dsn FROM mail m WHERE m.dsn LIKE :like AND m.id > :after ORDER BY m.id LIMIT :limit;

-- name: alarms_that_name
SELECT key, facts FROM alarm WHERE facts LIKE :like OR key LIKE :like;

-- name: drop_alarm
DELETE FROM alarm WHERE key = :key;

-- name: empty_shared_mails
UPDATE outbox SET raw = NULL, facts = '[]', subject = '' WHERE sms_id IS NULL AND state <> 'due'
AND mail_id IN (SELECT m.id FROM mail m WHERE m.id = :mail_id UNION SELECT m.batch FROM mail m WHERE m.id = :mail_id);

-- An opt-out in force stays, or the person gets SMS again. One that is over has been heard of on all nodes by then.
-- name: forget_optouts
DELETE FROM optout WHERE number = :number AND ended_at IS NOT NULL AND changed_at < :before;

-- name: empty_optout_notes
UPDATE optout SET note = '' WHERE number = :number AND note <> '';

-- name: drop_seen_of
DELETE FROM seen WHERE fingerprint = :mark;

-- name: add_audit
INSERT INTO audit (at, who, via, what, about, details) VALUES (:at, :who, :via, :what, :about, :details);

-- name: list_audit
SELECT id, at, who, via, what, about, details FROM audit
WHERE id < :before AND at >= :since ORDER BY id DESC LIMIT :limit;
