-- Nodes, their leases, and the rate that they share.

-- name: beat
UPDATE node SET beat_at = :now, draining = :draining WHERE id = :id;

-- name: join_nodes
INSERT INTO node (id, host, pid, parts, started_at, beat_at, gone_after, draining)
VALUES (:id, :host, :pid, :parts, :now, :now, :gone_after, :draining);

-- name: leave_nodes
DELETE FROM node WHERE id = :id;

-- name: nodes
SELECT id, host, pid, parts, started_at, beat_at, gone_after, draining FROM node ORDER BY started_at, id;

-- A node that is gone stays to be seen, until it has nothing left that is given up.
-- name: drop_nodes
DELETE FROM node WHERE beat_at < :before
AND NOT EXISTS (SELECT 1 FROM sms s WHERE s.state = 'sending' AND s.node = node.id);

-- One that ends later than any that is given now was given before the clock was set back.
-- name: take_lease
INSERT INTO lease (part, node, until) VALUES (:part, :node, :until)
ON CONFLICT (part) DO UPDATE SET node = excluded.node, until = excluded.until
WHERE lease.node = excluded.node OR lease.until <= :now OR lease.until > :latest;

-- name: give_leases_back
DELETE FROM lease WHERE node = :node;

-- name: end_lease
DELETE FROM lease WHERE part = :part;

-- name: leases
SELECT part, node, until FROM lease ORDER BY part;

-- name: sending_of
SELECT {sms} FROM sms s WHERE s.state = 'sending' AND s.node = :node AND s.claimed_at <= :before ORDER BY s.id {skip s};

-- The claim is looked at too: it is a sign of life by itself. What was claimed and shown that far in the future was
-- so before the clock was set back; a node that lives has shown itself again since.
-- name: sending_of_gone
SELECT {sms} FROM sms s LEFT JOIN node n ON n.id = s.node
WHERE s.state = 'sending' AND s.node <> :us
AND abs(:now - s.claimed_at) >= coalesce(n.gone_after, :gone_after)
AND abs(:now - coalesce(n.beat_at, 0)) >= coalesce(n.gone_after, :gone_after)
ORDER BY s.id LIMIT :limit {skip s};

-- name: free_moment
SELECT free_at FROM pace WHERE name = :name {skip};

-- name: take_moments
UPDATE pace SET free_at = :free_at WHERE name = :name;
