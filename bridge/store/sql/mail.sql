-- Mails that come in, and the texts known of them.

-- name: insert_mail
INSERT INTO mail (id, received_at, sender, proof, rule, client, subject, header_message_id, "references", brand,
                  reports_when, reports_to, size, cut, dsn, batch)
VALUES (:id, :received_at, :sender, :proof, :rule, :client, :subject, :header_message_id, :references, :brand,
        :reports_when, :reports_to, :size, :cut, :dsn, :batch);

-- name: mail_by_id
SELECT {mail} FROM mail m WHERE m.id = :id;

-- name: mail_with_batch
SELECT {mail}, m.batch, b.size, b.summarized_at FROM mail m LEFT JOIN batch b ON b.id = m.batch WHERE m.id = :id;

-- What the clients of a group asked to be told, the first mail first.
-- name: wishes_of_batch
SELECT m.dsn FROM mail m WHERE m.batch = :batch AND m.dsn IS NOT NULL ORDER BY m.id;

-- name: set_wishes
UPDATE mail SET dsn = :dsn WHERE id = :id;

-- A known text whose time is over may come again. Nothing is written when it is a duplicate.
-- name: note_seen
INSERT INTO seen (fingerprint, mail_id, until, open) VALUES (:mark, :mail_id, :until, :open)
ON CONFLICT (fingerprint) DO UPDATE SET mail_id = excluded.mail_id, until = excluded.until, open = excluded.open
WHERE seen.until <= :now;

-- name: seen_in
SELECT mail_id FROM seen WHERE fingerprint = :mark;

-- name: seen_heard
DELETE FROM seen WHERE mail_id = :mail_id AND open = 1;

-- name: drop_seen
DELETE FROM seen WHERE fingerprint IN (SELECT fingerprint FROM seen WHERE until <= :now ORDER BY until LIMIT :limit {skip});

-- The group begun last with that sender and Message-ID, and how many numbers it has.
-- name: group_of
SELECT m.sender, m.header_message_id, m.batch, (SELECT count(*) FROM sms s JOIN mail n ON n.id = s.mail_id WHERE n.batch = m.batch)
FROM mail m
WHERE m.header_message_id = :header AND m.sender = :sender AND m.received_at >= :since AND m.batch = m.id
ORDER BY m.received_at DESC LIMIT 1;

-- name: grow_batch
INSERT INTO batch (id, size, summary_at, summarized_at) VALUES (:id, :size, :at, NULL)
ON CONFLICT (id) DO UPDATE SET size = excluded.size, summary_at = excluded.summary_at, summarized_at = NULL;

-- name: take_batch
SELECT summary_at FROM batch b WHERE b.id = :id {skip b};

-- name: look_again
INSERT INTO batch_again (batch) VALUES (:batch);

-- name: batches_again
SELECT DISTINCT batch FROM batch_again ORDER BY batch LIMIT :limit;

-- name: looked_at
DELETE FROM batch_again WHERE batch = :batch;

-- name: batch_due
UPDATE batch SET summary_at = CASE WHEN summary_at < :at THEN summary_at ELSE :at END WHERE id = :id AND summary_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM sms s JOIN mail m ON m.id = s.mail_id WHERE m.batch = :id AND s.id <> :sms_id
                AND s.state IN ('queued', 'sending', 'submitted', 'unknown', 'held'));

-- name: batches_due
SELECT id FROM batch WHERE summary_at <= :now ORDER BY summary_at LIMIT :limit;

-- name: batch_summarized
UPDATE batch SET summary_at = NULL, summarized_at = :at WHERE id = :id;
