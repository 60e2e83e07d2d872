-- Phones that want no SMS of an account of the vendor ('*': of every account). One that opted in again stays for a
-- while, so that what it said before is not taken for news.
CREATE TABLE optout (
    number TEXT NOT NULL,              -- E.164
    account TEXT NOT NULL,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,              -- reply, vendor, operator
    note TEXT NOT NULL,
    ended_at INTEGER,                  -- when it opted in again
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (number, account)
) WITHOUT ROWID;
CREATE INDEX optout_changed ON optout (changed_at);
CREATE INDEX optout_listed ON optout (at, number, account) WHERE ended_at IS NULL;
CREATE INDEX optout_ended ON optout (ended_at) WHERE ended_at IS NOT NULL;
