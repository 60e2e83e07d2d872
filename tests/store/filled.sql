-- 10,000 of everything. Nearly all is over, as after some months; the last hundred of each kind are not.

INSERT INTO mail (id, received_at, sender, proof, rule, client, subject, header_message_id, "references", brand,
                  reports_when, reports_to, size, cut, batch)
SELECT 'm' || i, i, 's' || i % 50, 'auth', 0, '', '', '<' || i || '>', '[]', '', '[]', '', 1, '[]', 'm' || i
FROM generate_series(1, 10000) i;

INSERT INTO sms (message_id, mail_id, number, text, encoding, segments, account, mode, on_unknown, reply_key, state,
                 created_at, updated_at, due_at, expires_at, attempts, reached, resends, node, claimed_at,
                 state_since, settle_from, no_such, answered, rank, result, told, sender, recipient, tail, doubt_at)
SELECT 'B' || i, 'm' || i, '+' || i, 'text', '', 1, 'default', '', '', 'k' || i,
       CASE WHEN i <= 9500 THEN 'delivered' WHEN i <= 9600 THEN 'submitted' WHEN i <= 9700 THEN 'unknown'
            WHEN i <= 9800 THEN 'sending' WHEN i <= 9900 THEN 'held' ELSE 'queued' END,
       i, i, i, i, 1, 1, 0, 'n' || i % 3, i, i, i, 0, 0, 0, '', '', 's' || i % 50, '', reverse('+' || i),
       CASE WHEN i > 9900 THEN i END
FROM generate_series(1, 10000) i;

INSERT INTO history (sms_id, at, state, note, attempt, times, last_at)
SELECT id, 1, '', '', 1, 1, 1 FROM sms, generate_series(1, 3);

INSERT INTO seen (fingerprint, mail_id, until, open)
SELECT decode(md5(i::text), 'hex'), 'm' || i, i, 0 FROM generate_series(1, 10000) i;

INSERT INTO vendor_id (value, kind, sms_id) SELECT 'v' || id, 'm', id FROM sms;

INSERT INTO job_price (sms_id, job, price) SELECT id, 'j', 1000 FROM sms;

INSERT INTO event (at, sms_id, source, type, result, text, phone, message_id, job, credit_hold, raw, fingerprint,
                   times, ways, kept_until)
SELECT i, i, 'webhook', CASE WHEN i % 2 = 0 THEN 'reply' ELSE 'status' END, '', '', '+' || i, 'V' || i, 'J' || i, 0,
       '', decode(md5(i::text), 'hex'), 1, '', CASE WHEN i > 9900 THEN i END
FROM generate_series(1, 10000) i;

INSERT INTO outbox (kind, state, "to", message_id, bounce_key, created_at, due_at, attempts, facts, correction,
                    sms_id, mail_id, brand, subject, error, bounced)
SELECT '', CASE WHEN id > 9900 THEN 'due' ELSE 'sent' END, '', '', 'b' || id, 1, id, 1, '', 0, id, mail_id, '', '',
       '', 0
FROM sms;

INSERT INTO reply_poll (sms_id, due_at) SELECT id, id FROM sms WHERE id % 5 = 0;

INSERT INTO used (sender, name, begins, ends, used, most, told, refused)
SELECT 's' || n || '@x', 'per_hour', n, n + 3600000, 1, 9, 0, 0 FROM generate_series(1, 20000) AS n;

INSERT INTO settled (sender, at, money) SELECT 's' || n % 100 || '@x', n, 1 FROM generate_series(1, 20000) AS n;
