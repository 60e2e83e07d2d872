-- The same text again and again: what is held back, and the SMS that stand for many mails.

-- name: same_of
SELECT t.fingerprint, t.until, t.sms_id FROM same_text t WHERE t.fingerprint = :mark;

-- name: put_same
INSERT INTO same_text (fingerprint, until, sms_id) VALUES (:mark, :until, :sms_id)
ON CONFLICT (fingerprint) DO UPDATE SET until = excluded.until, sms_id = excluded.sms_id;

-- Not there while another unit has it: that one sends it, ends it, or has not done either in the end.
-- name: sms_to_join
SELECT {sms} FROM sms s WHERE s.id = :id {skip s};

-- name: join_sms
UPDATE sms SET text = :text, encoding = :encoding, segments = :segments, joined = :joined, expires_at = :expires_at,
    updated_at = :now
WHERE id = :id;

-- name: insert_joined
INSERT INTO joined_mail (sms_id, mail_id) VALUES (:sms_id, :mail_id);

-- name: join_again
UPDATE history SET times = times + :times, last_at = :at WHERE sms_id = :sms_id AND note = :note;

-- name: join_history
INSERT INTO history (sms_id, at, state, note, attempt, times, last_at)
VALUES (:sms_id, :at, 'queued', :note, 0, :times, :at);

-- One whose SMS still waits, or was tried lately, counts longer than its time.
-- name: drop_same
DELETE FROM same_text WHERE fingerprint IN (
    SELECT t.fingerprint FROM same_text t
    WHERE t.until <= :before AND NOT EXISTS (
        SELECT 1 FROM sms s WHERE s.id = t.sms_id AND (s.state = 'queued' OR s.claimed_at > :before)
    )
    ORDER BY t.until LIMIT :limit {skip t}
);
