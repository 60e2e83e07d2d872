-- Lists, newest first. Each goes down one index; what that does not decide is looked at row by row, from
-- `before` down to `floor`.

-- name: list_all
SELECT {listed} WHERE {fits} ORDER BY s.id DESC LIMIT :limit;

-- name: list_all_floor
SELECT s.id FROM sms s WHERE s.id < :before ORDER BY s.id DESC LIMIT 1 OFFSET :most;

-- name: list_by_state
SELECT {listed} WHERE s.state = :state AND {fits} ORDER BY s.id DESC LIMIT :limit;

-- name: list_by_state_floor
SELECT s.id FROM sms s WHERE s.state = :state AND s.id < :before ORDER BY s.id DESC LIMIT 1 OFFSET :most;

-- name: list_by_sender
SELECT {listed} WHERE s.sender = :sender AND {fits} ORDER BY s.id DESC LIMIT :limit;

-- name: list_by_sender_floor
SELECT s.id FROM sms s WHERE s.sender = :sender AND s.id < :before ORDER BY s.id DESC LIMIT 1 OFFSET :most;

-- name: list_by_number
SELECT {listed} WHERE s.tail = :tail AND {fits} ORDER BY s.id DESC LIMIT :limit;

-- name: list_by_number_floor
SELECT s.id FROM sms s WHERE s.tail = :tail AND s.id < :before ORDER BY s.id DESC LIMIT 1 OFFSET :most;

-- name: list_by_ending
SELECT {listed_by_tail} WHERE s.tail >= :tail AND s.tail < :tail_end AND {fits} ORDER BY s.id DESC LIMIT :limit;

-- name: list_by_mail
SELECT {listed} WHERE s.id IN (
    SELECT n.id FROM sms n WHERE n.mail_id = :mail_id
    UNION SELECT j.sms_id FROM joined_mail j WHERE j.mail_id = :mail_id
) AND {fits} ORDER BY s.id DESC LIMIT :limit;

-- name: count_sms
SELECT state, count(*) FROM sms GROUP BY state;

-- name: count_outbox
SELECT state, count(*) FROM outbox GROUP BY state;

-- The first by id is the oldest queued, but for a few that were queued at once; min() would read all of them. What
-- joins the same texts waits on purpose.
-- name: count_rest
SELECT (SELECT count(*) FROM event WHERE kept_until IS NOT NULL),
       (SELECT count(*) FROM alarm),
       (SELECT created_at FROM sms WHERE state = 'queued' AND (joined = 0 OR due_at <= :now) ORDER BY id LIMIT 1),
       (SELECT count(*) FROM optout WHERE ended_at IS NULL);
