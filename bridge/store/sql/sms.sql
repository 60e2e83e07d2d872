-- The SMS themselves: written, read, changed, claimed, polled. Where an index is named, SQLite would take
-- the one by state, which holds far more rows. `{lock s}` and `{skip s}`: see `queries`.

-- name: insert_sms
INSERT INTO sms ({insert_sms}, recipient, tail) VALUES ({insert_sms_values}, :recipient, :tail)
RETURNING id;

-- name: sms_by_id
SELECT {sms} FROM sms s WHERE s.id = :id {lock s};

-- name: sms_as_it_is
SELECT {sms} FROM sms s WHERE s.id = :id;

-- name: sms_by_message_id
SELECT {sms} FROM sms s WHERE s.message_id = :message_id {lock s};

-- name: sms_of_mail
SELECT {sms} FROM sms s WHERE s.mail_id = :mail_id ORDER BY s.id;

-- name: sms_of_batch
SELECT {sms} FROM mail m JOIN sms s ON s.mail_id = m.id WHERE m.batch = :batch ORDER BY s.id;

-- name: sms_to_sum_up
SELECT {sms} FROM mail m JOIN sms s ON s.mail_id = m.id WHERE m.batch = :batch ORDER BY s.id {lock s};

-- name: sms_of_reply_key
SELECT {sms} FROM sms s WHERE s.reply_key = :key {lock s};

-- name: others_wrote
SELECT 1 FROM sms s WHERE s.tail = :tail AND s.sender <> :sender AND s.attempts > 0
AND s.created_at >= :since LIMIT 1;

-- A doubt begins when an SMS becomes unknown or held, goes on between the two, and ends elsewhere.
-- name: save_sms
UPDATE sms SET {save_sms},
    doubt_at = CASE WHEN :state IN ('unknown', 'held') THEN coalesce(doubt_at, :doubt_at) END
WHERE id = :id;

-- name: set_price
UPDATE sms SET price = :price WHERE id = :id;

-- One step of the index for each account or sender that has anything queued, however much that is.
-- name: accounts_waiting
WITH RECURSIVE turn (account) AS (
    SELECT (SELECT s.account FROM sms s INDEXED BY sms_queued WHERE s.state = 'queued' ORDER BY s.account LIMIT 1)
    UNION ALL
    SELECT (SELECT s.account FROM sms s INDEXED BY sms_queued WHERE s.state = 'queued' AND s.account > turn.account
            ORDER BY s.account LIMIT 1)
    FROM turn WHERE turn.account IS NOT NULL
)
SELECT account FROM turn WHERE account IS NOT NULL;

-- name: senders_waiting
WITH RECURSIVE turn (sender) AS (
    SELECT (SELECT s.sender FROM sms s WHERE s.state = 'queued' AND s.account = :account AND s.sender > :last
            ORDER BY s.sender LIMIT 1)
    UNION ALL
    SELECT (SELECT s.sender FROM sms s WHERE s.state = 'queued' AND s.account = :account AND s.sender > turn.sender
            ORDER BY s.sender LIMIT 1)
    FROM turn WHERE turn.sender IS NOT NULL
)
SELECT sender FROM turn WHERE sender IS NOT NULL LIMIT :limit;

-- Behind the columns of the SMS: since when its phone wants none, the truth on the way to the vendor.
-- name: claimable
SELECT {sms}, (SELECT min(o.at) FROM optout o
               WHERE o.number = s.number AND o.account IN (s.account, '*') AND o.ended_at IS NULL)
FROM sms s
WHERE s.state = 'queued' AND s.account = :account AND s.sender = :sender AND s.due_at <= :now
ORDER BY s.due_at, s.id LIMIT :limit {skip s};

-- name: expired
SELECT {sms} FROM sms s INDEXED BY sms_expiring
WHERE s.state = 'queued' AND s.expires_at <= :now ORDER BY s.expires_at LIMIT :limit {skip s};

-- name: sending
SELECT {sms} FROM sms s WHERE s.state = 'sending' ORDER BY s.id {skip s};

-- name: settled_to_poll
SELECT {sms} FROM sms s INDEXED BY sms_settling
WHERE s.state = 'unknown' AND s.settle_from > :since AND s.settle_from <= :ended AND s.due_at <= :now
ORDER BY s.settle_from LIMIT :limit {skip s};

-- name: to_poll
SELECT {sms} FROM sms s INDEXED BY sms_to_poll
WHERE s.state IN ('submitted', 'unknown', 'held') AND s.due_at <= :now
ORDER BY s.due_at, s.id LIMIT :limit {skip s};

-- name: lease_poll
UPDATE sms SET due_at = :until WHERE id = :id;

-- name: doubts_due
SELECT {sms} FROM sms s WHERE s.doubt_at <= :now ORDER BY s.doubt_at LIMIT :limit {skip s};

-- name: doubt_looked_at
UPDATE sms SET doubt_at = :never WHERE id = :id;

-- name: add_history
INSERT INTO history (sms_id, at, state, note, attempt, times, last_at)
VALUES (:sms_id, :at, :state, :note, :attempt, 1, :at);

-- name: history_again
UPDATE history SET times = times + 1, last_at = :at
WHERE sms_id = :sms_id AND state = :state AND attempt = :attempt AND note = :note;

-- name: history_full
UPDATE history SET times = times + 1, last_at = :at
WHERE id = (SELECT max(id) FROM history WHERE sms_id = :sms_id)
AND (SELECT count(*) FROM history WHERE sms_id = :sms_id) >= :most;

-- name: history_of
SELECT at, state, note, attempt, times, last_at FROM history WHERE sms_id = :sms_id ORDER BY id LIMIT :limit;

-- name: account
SELECT health FROM account WHERE key = :key;

-- name: begin_account
INSERT INTO account (key, health) VALUES (:key, :health) ON CONFLICT (key) DO NOTHING;

-- name: account_to_change
SELECT health FROM account a WHERE a.key = :key {lock a};

-- name: account_to_probe
SELECT health FROM account a WHERE a.key = :key {skip a};

-- name: accounts
SELECT key, health FROM account a ORDER BY key {lock a};

-- name: put_account
INSERT INTO account (key, health) VALUES (:key, :health)
ON CONFLICT (key) DO UPDATE SET health = excluded.health;

-- name: want_reply_poll
INSERT INTO reply_poll (sms_id, due_at) VALUES (:id, :now)
ON CONFLICT (sms_id) DO UPDATE SET due_at = excluded.due_at;

-- name: replies_to_poll
SELECT {sms} FROM reply_poll r JOIN sms s ON s.id = r.sms_id
WHERE r.due_at <= :now ORDER BY r.due_at LIMIT :limit {skip r};

-- name: lease_reply_poll
UPDATE reply_poll SET due_at = :until WHERE sms_id = :id;

-- What was asked for while the poll ran has a time that is not in the future.
-- name: reply_polled
DELETE FROM reply_poll WHERE sms_id = :id AND due_at > :now;

-- name: cursor
SELECT value FROM cursor WHERE name = :name;

-- The latest moment at which anything was written that waits, of each kind among the newest.
-- name: latest_waiting
SELECT max(at) FROM (
    SELECT max(updated_at) AS at FROM (
        SELECT updated_at FROM sms WHERE state = 'queued' ORDER BY id DESC LIMIT 1000
    ) AS queued
    UNION ALL SELECT max(updated_at) FROM (
        SELECT updated_at FROM sms WHERE state = 'unknown' ORDER BY id DESC LIMIT 1000
    ) AS doubted
    UNION ALL SELECT max(updated_at) FROM (
        SELECT updated_at FROM sms WHERE state = 'submitted' ORDER BY id DESC LIMIT 1000
    ) AS submitted
    UNION ALL SELECT max(created_at) FROM (
        SELECT created_at FROM outbox WHERE state = 'due' AND attempts = 0 AND node IS NULL ORDER BY id DESC LIMIT 1000
    ) AS mails
) AS latest;

-- name: sms_due_again
UPDATE sms SET due_at = :now
WHERE state IN ('queued', 'submitted', 'unknown', 'held') AND due_at > :now AND due_at < :never
    AND updated_at > :now;

-- name: set_cursor
INSERT INTO cursor (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: count_hour
INSERT INTO tally (key, hour, times) VALUES (:key, :hour, 1)
ON CONFLICT (key, hour) DO UPDATE SET times = tally.times + 1 WHERE tally.times < :most;

-- name: drop_tally
DELETE FROM tally WHERE hour < :before;

-- Whoever has the row is writing.
-- name: touch
UPDATE cursor SET value = :now WHERE name = (SELECT c.name FROM cursor c WHERE c.name = 'last check' {skip c});
