-- What of the limits is used.

-- name: used_of
SELECT {used}, CASE WHEN u.name IN ('spend_per_month', 'spend_cap')
    THEN (SELECT count(*) FROM settled d WHERE d.sender = u.sender) ELSE 0 END AS waiting
FROM used u WHERE u.sender = :sender;

-- name: put_used
INSERT INTO used (sender, name, begins, ends, used, most, told, refused)
VALUES (:sender, :name, :begins, :ends, :used, :most, :told, :refused)
ON CONFLICT (sender, name) DO UPDATE SET begins = excluded.begins, ends = excluded.ends, used = excluded.used,
    most = excluded.most, told = excluded.told, refused = excluded.refused;

-- The rows in which the SMS was reserved, if their windows are still running: those of money come in one by one.
-- name: settle
INSERT INTO settled (sender, at, money)
SELECT u.sender, CAST(:at AS BIGINT), CAST(:money AS BIGINT) FROM used u
WHERE u.sender IN (:sender, '') AND u.name IN ('spend_per_month', 'spend_cap') AND u.begins <= :at AND u.ends > :at;

-- name: take_settled
DELETE FROM settled WHERE id IN (SELECT id FROM settled WHERE sender = :sender ORDER BY at LIMIT :limit)
RETURNING at, money;

-- name: used_now
SELECT {used} FROM used u INDEXED BY used_by_end WHERE u.ends > :now ORDER BY u.sender, u.name LIMIT :limit;

-- name: spent_by_all
SELECT CAST(coalesce(sum(d.used + d.changed), 0) AS BIGINT) FROM (
    SELECT {used} FROM used u INDEXED BY used_by_end WHERE u.ends > :now AND u.begins <= :now AND u.name = 'spend_per_day'
) AS d;

-- name: drop_cap
DELETE FROM used WHERE sender = '' AND name = 'spend_cap';

-- name: drop_used
DELETE FROM used WHERE ends < :before;

-- name: drop_settled
DELETE FROM settled WHERE id IN (SELECT id FROM settled WHERE at < :before ORDER BY at LIMIT :limit);

-- What was counted by a clock that was ahead would lock its sender out.
-- name: drop_used_ahead
DELETE FROM used WHERE ends > :now AND begins > :now;

-- name: count_refusals
INSERT INTO cursor (name, value) VALUES (:name, :times)
ON CONFLICT (name) DO UPDATE SET value = cursor.value + excluded.value;

-- name: refusals
SELECT name, value FROM cursor WHERE name > 'refused by ' AND name < 'refused by ~';

-- name: at_limit
SELECT name, count(*) FROM used WHERE sender <> '' AND ends > :now AND told >= 100 GROUP BY name;

-- name: numbers_of_batch
SELECT DISTINCT s.number FROM mail m JOIN sms s ON s.mail_id = m.id WHERE m.batch = :batch;

-- name: forget_seen
DELETE FROM seen WHERE fingerprint = :mark AND mail_id = :mail_id;
