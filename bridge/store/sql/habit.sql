-- What senders do in an hour, counted beside the way that a mail goes.

-- The last of the SMS to count next. One that was begun just now may have a lower id than one that is stored already; one
-- that is far ahead was stored before the clock was set back.
-- name: habit_upto
SELECT max(n.id) FROM (SELECT id, created_at FROM sms WHERE id > :after ORDER BY id LIMIT :most) AS n
WHERE n.created_at <= :before OR n.created_at > :ahead;

-- name: latest_id
SELECT max(id) FROM sms;

-- Each number of each sender and hour, what was sent by hand aside: whether it is new here, and how many SMS went to it in all of that hour.
-- name: habit_of
SELECT numbers.sender, numbers.hour, CAST(sum(numbers.sms) AS BIGINT),
       CAST(sum(CASE WHEN EXISTS (SELECT 1 FROM sms p WHERE p.tail = numbers.tail AND p.id < numbers.first) THEN 0 ELSE 1 END) AS BIGINT),
       CAST(max((SELECT count(*) FROM (
           SELECT 1 FROM sms q WHERE q.tail = numbers.tail AND q.id > :floor AND q.id <= :upto
           AND q.sender = numbers.sender AND q.state <> 'refused' AND q.created_at / 3600000 = numbers.hour LIMIT :enough
       ) AS known)) AS BIGINT)
FROM (
    SELECT s.sender, s.created_at / 3600000 AS hour, s.tail, count(*) AS sms, min(s.id) AS first
    FROM sms s WHERE s.id > :after AND s.id <= :upto AND s.state <> 'refused' AND s.sender <> 'operator'
    GROUP BY s.sender, s.created_at / 3600000, s.tail
) AS numbers
GROUP BY numbers.sender, numbers.hour ORDER BY numbers.sender, numbers.hour;

-- name: count_habit
INSERT INTO habit (sender, hour, sms, new_numbers, one_number) VALUES (:sender, :hour, :sms, :new_numbers, :one_number)
ON CONFLICT (sender, hour) DO UPDATE SET sms = habit.sms + excluded.sms,
    new_numbers = habit.new_numbers + excluded.new_numbers,
    one_number = CASE WHEN habit.one_number > excluded.one_number THEN habit.one_number ELSE excluded.one_number END;

-- name: hour_of
SELECT sms, new_numbers, one_number FROM habit WHERE sender = :sender AND hour = :hour;

-- The busiest hour of each day before.
-- name: busiest_of
SELECT max(sms), max(new_numbers), max(one_number) FROM habit
WHERE sender = :sender AND hour >= :since AND hour < :today GROUP BY hour / 24;

-- name: known_since
SELECT min(hour) FROM habit WHERE sender = :sender;

-- name: drop_habits
DELETE FROM habit WHERE hour < :before;

-- name: alarms_since
SELECT key FROM alarm WHERE last_at >= :since;
