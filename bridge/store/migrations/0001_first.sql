-- Times are milliseconds UTC, money ten-thousandths. Lists are JSON texts.

CREATE TABLE mail (
    id TEXT PRIMARY KEY,               -- begins with its time, so that new rows go to the end of the tree
    received_at INTEGER NOT NULL,
    sender TEXT NOT NULL,
    proof TEXT NOT NULL,
    rule INTEGER NOT NULL,
    client TEXT NOT NULL,
    subject TEXT NOT NULL,
    header_message_id TEXT,
    "references" TEXT NOT NULL,
    brand TEXT NOT NULL,
    reports_when TEXT NOT NULL,
    reports_to TEXT NOT NULL,
    size INTEGER NOT NULL,
    cut TEXT NOT NULL,
    batch TEXT NOT NULL                -- id of the first mail with the same sender and Message-ID
) WITHOUT ROWID;
CREATE INDEX mail_by_header ON mail (header_message_id, sender, received_at)
    WHERE header_message_id IS NOT NULL;
CREATE INDEX mail_by_batch ON mail (batch);

CREATE TABLE sms (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    mail_id TEXT NOT NULL REFERENCES mail (id),
    number TEXT NOT NULL,
    text TEXT NOT NULL,
    encoding TEXT NOT NULL,
    segments INTEGER NOT NULL,
    account TEXT NOT NULL,
    mode TEXT NOT NULL,
    on_unknown TEXT NOT NULL,
    reply_key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reached INTEGER NOT NULL,
    resends INTEGER NOT NULL,
    node TEXT,
    claimed_at INTEGER,
    submitted_at INTEGER,
    state_since INTEGER NOT NULL,
    settle_from INTEGER,
    no_such INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    result TEXT NOT NULL,
    price INTEGER,
    told TEXT NOT NULL,
    resubmit_of TEXT,
    sender TEXT NOT NULL,              -- the mail's: whose turn it is, and for lists
    -- what only the store needs
    recipient TEXT NOT NULL,           -- what was asked for: an alias, or the number as written
    tail TEXT NOT NULL,                -- the number backwards: found by its last digits
    doubt_at INTEGER                   -- when "we cannot tell yet" is due to be told
);
CREATE INDEX sms_by_mail ON sms (mail_id);
CREATE INDEX sms_by_state ON sms (state, id);
CREATE INDEX sms_by_sender ON sms (sender, id);
CREATE INDEX sms_by_tail ON sms (tail, id);
CREATE INDEX sms_queued ON sms (account, sender, due_at, id) WHERE state = 'queued';
CREATE INDEX sms_expiring ON sms (expires_at) WHERE state = 'queued';
CREATE INDEX sms_sending ON sms (id) WHERE state = 'sending';
CREATE INDEX sms_to_poll ON sms (due_at, id) WHERE state IN ('submitted', 'unknown', 'held');
CREATE INDEX sms_settling ON sms (settle_from, due_at) WHERE state = 'unknown';
CREATE INDEX sms_doubted ON sms (doubt_at) WHERE doubt_at IS NOT NULL;

-- Which texts of which mails are known already; `open` until a client without Message-ID has shown that
-- it has heard our 250.
CREATE TABLE seen (
    fingerprint BLOB PRIMARY KEY,
    mail_id TEXT NOT NULL,
    until INTEGER NOT NULL,
    open INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX seen_until ON seen (until);
CREATE INDEX seen_open ON seen (mail_id) WHERE open = 1;

-- Mails to more numbers than get a report each: one summary.
CREATE TABLE batch (
    id TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    summary_at INTEGER,                -- NULL once it was written
    summarized_at INTEGER
) WITHOUT ROWID;
CREATE INDEX batch_due ON batch (summary_at) WHERE summary_at IS NOT NULL;

CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    sms_id INTEGER NOT NULL REFERENCES sms (id),
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    times INTEGER NOT NULL,
    last_at INTEGER NOT NULL
);
CREATE INDEX history_by_sms ON history (sms_id, id);

-- The vendor's own MessageIDs (kind m) and job numbers (kind j), in lower case.
CREATE TABLE vendor_id (
    value TEXT NOT NULL,
    kind TEXT NOT NULL,
    sms_id INTEGER NOT NULL REFERENCES sms (id),
    PRIMARY KEY (value, kind)
) WITHOUT ROWID;
CREATE INDEX vendor_id_by_sms ON vendor_id (sms_id);

CREATE TABLE job_price (
    sms_id INTEGER NOT NULL REFERENCES sms (id),
    job TEXT NOT NULL,
    price INTEGER NOT NULL,
    PRIMARY KEY (sms_id, job)
) WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    sms_id INTEGER REFERENCES sms (id),
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    news TEXT,
    result TEXT NOT NULL,
    text TEXT NOT NULL,
    phone TEXT NOT NULL,
    message_id TEXT,
    job TEXT,
    received_id TEXT,
    price INTEGER,
    vendor_at INTEGER,
    credit_hold INTEGER NOT NULL,
    raw TEXT NOT NULL,
    fingerprint BLOB UNIQUE,           -- of what came by webhook or poll
    mail_mark BLOB,                    -- of the vendor's mail that told the same
    times INTEGER NOT NULL,
    ways TEXT NOT NULL,                -- how a reply has come so far: r with ReceivedID, p without, m as mail
    kept_until INTEGER                 -- set while it matches none of ours
);
CREATE UNIQUE INDEX event_received ON event (received_id) WHERE received_id IS NOT NULL;
CREATE UNIQUE INDEX event_mailed ON event (mail_mark) WHERE mail_mark IS NOT NULL;
CREATE INDEX event_by_sms ON event (sms_id, id);
CREATE INDEX event_by_phone ON event (phone, at) WHERE type <> 'status';
CREATE INDEX event_kept ON event (kept_until) WHERE kept_until IS NOT NULL;
CREATE INDEX event_kept_message ON event (lower(message_id)) WHERE kept_until IS NOT NULL;
CREATE INDEX event_kept_job ON event (lower(job)) WHERE kept_until IS NOT NULL;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    "to" TEXT NOT NULL,
    message_id TEXT NOT NULL,
    bounce_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    facts TEXT NOT NULL,
    correction INTEGER NOT NULL,
    sms_id INTEGER REFERENCES sms (id),
    mail_id TEXT REFERENCES mail (id),
    "group" TEXT,
    brand TEXT NOT NULL,
    subject TEXT NOT NULL,
    error TEXT NOT NULL,
    bounced INTEGER NOT NULL,
    raw BLOB                           -- last, so that lists do not read it
);
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE state = 'due';
CREATE UNIQUE INDEX outbox_by_bounce ON outbox (bounce_key) WHERE bounce_key <> '';
CREATE INDEX outbox_by_sms ON outbox (sms_id);
CREATE INDEX outbox_by_mail ON outbox (mail_id);
CREATE INDEX outbox_by_state ON outbox (state, id);

CREATE TABLE account (
    key TEXT PRIMARY KEY,
    health TEXT NOT NULL               -- JSON of retry.Account
) WITHOUT ROWID;

CREATE TABLE alarm (
    key TEXT PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    told_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    facts TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE reply_poll (sms_id INTEGER PRIMARY KEY REFERENCES sms (id), due_at INTEGER NOT NULL);
CREATE INDEX reply_poll_due ON reply_poll (due_at);

-- How often something happened in an hour (limits per key).
CREATE TABLE tally (key TEXT NOT NULL, hour INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (key, hour))
    WITHOUT ROWID;
CREATE INDEX tally_by_hour ON tally (hour);

CREATE TABLE cursor (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
