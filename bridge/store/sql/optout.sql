-- Phones that want no SMS, and since when.

-- What the phone said later counts, whatever comes first; one that is in force keeps its date.
-- name: opt_out
INSERT INTO optout (number, account, at, source, note, ended_at, changed_at)
VALUES (:number, :account, :at, :source, :note, NULL, :now)
ON CONFLICT (number, account) DO UPDATE SET at = excluded.at, source = excluded.source, note = excluded.note,
    ended_at = NULL, changed_at = excluded.changed_at
WHERE optout.ended_at < excluded.at;

-- name: opted_in_since
SELECT 1 FROM optout o WHERE o.number = :number AND o.ended_at >= :at
AND (o.account = :account OR o.account = '*' OR :account = '*') LIMIT 1;

-- name: opt_in
UPDATE optout SET ended_at = :at, changed_at = :now
WHERE number = :number AND ended_at IS NULL AND at <= :at AND (account = :account OR account = '*' OR :account = '*');

-- That it opted in is known, should an older word come later.
-- name: note_opt_in
INSERT INTO optout (number, account, at, source, note, ended_at, changed_at)
VALUES (:number, :account, :at, :source, '', :at, :now)
ON CONFLICT (number, account) DO UPDATE SET ended_at = excluded.ended_at, changed_at = excluded.changed_at
WHERE optout.ended_at < excluded.ended_at;

-- At a person's word, whenever the phone opted out.
-- name: end_opt_out
UPDATE optout SET ended_at = CASE WHEN at > :at THEN at ELSE :at END, changed_at = :now
WHERE number = :number AND ended_at IS NULL AND (CAST(:account AS TEXT) IS NULL OR account = :account);

-- name: optouts_of
SELECT {optout} FROM optout o WHERE o.number = :number AND o.ended_at IS NULL ORDER BY o.account;

-- name: optouts_changed
SELECT {optout} FROM optout o WHERE o.changed_at >= :since ORDER BY o.changed_at DESC LIMIT :limit;

-- name: list_optouts
SELECT {optout} FROM optout o WHERE o.ended_at IS NULL AND (o.at, o.number, o.account) < (:at, :number, :account)
ORDER BY o.at DESC, o.number DESC, o.account DESC LIMIT :limit;

-- The account by which a phone was written to last.
-- name: wrote_last
SELECT s.account FROM sms s WHERE s.tail = :tail AND s.attempts > 0 ORDER BY s.id DESC LIMIT 1;

-- name: drop_optouts
DELETE FROM optout WHERE (number, account) IN (
    SELECT number, account FROM optout WHERE ended_at < :before AND changed_at < :before ORDER BY ended_at LIMIT :limit {skip}
);
