-- What the vendor said, and its ids of our SMS.

-- name: insert_event
INSERT INTO event (at, sms_id, source, type, news, result, text, phone, message_id, job, received_id, price,
                   vendor_at, credit_hold, raw, fingerprint, mail_mark, times, ways, kept_until)
VALUES (:at, :sms_id, :source, :type, :news, :result, :text, :phone, :message_id, :job, :received_id, :price,
        :vendor_at, :credit_hold, :raw, :mark, :mail_mark, 1, :ways, :kept_until);

-- name: event_again
UPDATE event SET times = times + 1 WHERE fingerprint = :mark;

-- name: mail_again
UPDATE event SET times = times + 1 WHERE mail_mark = :mark;

-- name: reply_known
SELECT 1 FROM event WHERE received_id = :received_id;

-- name: reply_again
UPDATE event SET times = times + 1 WHERE received_id = :received_id;

-- name: answers_of
SELECT {event}, e.ways FROM event e
WHERE e.type <> 'status' AND e.phone = :phone AND e.at >= :since ORDER BY e.at DESC LIMIT :limit;

-- name: answer_meets
UPDATE event SET ways = ways || :way, times = times + 1, received_id = coalesce(received_id, :received_id),
    fingerprint = coalesce(fingerprint, :mark), mail_mark = coalesce(mail_mark, :mail_mark), text = :text, vendor_at = coalesce(vendor_at, :vendor_at)
WHERE id = :id;

-- name: event_found
UPDATE event SET sms_id = :sms_id, kept_until = NULL WHERE id = :id AND kept_until IS NOT NULL;

-- name: drop_event
DELETE FROM event WHERE id = :id;

-- name: drop_kept
DELETE FROM event WHERE id IN (
    SELECT id FROM event WHERE kept_until IS NOT NULL ORDER BY kept_until
    LIMIT (SELECT CASE WHEN count(*) > :most THEN count(*) - :most ELSE 0 END FROM event WHERE kept_until IS NOT NULL)
);

-- name: kept_too_long
SELECT {event} FROM event e WHERE e.kept_until <= :now ORDER BY e.kept_until LIMIT :limit {skip e};

-- CROSS JOIN: the few ids first, then the index of what is kept (whose column has no type, hence `|| ''`).
-- name: kept_for
SELECT {event} FROM event e WHERE e.id IN (
    SELECT k.id FROM vendor_id v CROSS JOIN event k INDEXED BY event_kept_message
    WHERE v.sms_id = :sms_id AND v.kind = 'm' AND lower(k.message_id) = v.value || '' AND k.kept_until IS NOT NULL
    UNION
    SELECT k.id FROM vendor_id v CROSS JOIN event k INDEXED BY event_kept_job
    JOIN sms s ON s.id = v.sms_id
    WHERE v.sms_id = :sms_id AND v.kind = 'j' AND lower(k.job) = v.value || '' AND k.kept_until IS NOT NULL
    AND (substr(k.phone, 1, 1) <> '+' OR k.phone = s.number)
) ORDER BY e.id LIMIT 1;

-- SMS whose id came by one node while the other was keeping the event that names it.
-- name: sms_of_kept
SELECT v.sms_id FROM event k JOIN vendor_id v ON v.value = lower(k.message_id) AND v.kind = 'm'
WHERE k.kept_until > :since
UNION
SELECT v.sms_id FROM event k JOIN vendor_id v ON v.value = lower(k.job) AND v.kind = 'j' JOIN sms s ON s.id = v.sms_id
WHERE k.kept_until > :since AND (substr(k.phone, 1, 1) <> '+' OR k.phone = s.number)
LIMIT :limit;

-- name: count_events
SELECT count(*) FROM (SELECT 1 FROM event WHERE sms_id = :sms_id LIMIT :most) AS known;

-- name: events_of
SELECT {event} FROM event e WHERE e.sms_id = :sms_id ORDER BY e.id LIMIT :limit;

-- name: list_events
SELECT {event} FROM event e WHERE e.id < :before ORDER BY e.id DESC LIMIT :limit;

-- name: sms_of_vendor_id
SELECT sms_id FROM vendor_id WHERE value = :value AND kind = :kind;

-- name: learn_id
INSERT INTO vendor_id (value, kind, sms_id)
SELECT CAST(:value AS TEXT), CAST(:kind AS TEXT), CAST(:sms_id AS BIGINT) WHERE (SELECT count(*) FROM vendor_id WHERE sms_id = :sms_id) < :most
ON CONFLICT (value, kind) DO NOTHING;

-- name: vendor_message_ids
SELECT value FROM vendor_id WHERE sms_id = :sms_id AND kind = 'm' ORDER BY value;

-- name: put_job_price
INSERT INTO job_price (sms_id, job, price) VALUES (:sms_id, :job, :price)
ON CONFLICT (sms_id, job) DO UPDATE SET price = excluded.price;

-- name: price_of
SELECT CAST(sum(price) AS BIGINT) FROM job_price WHERE sms_id = :sms_id;
