-- What one attempt of an SMS is taken to cost; NULL where no money is limited.
ALTER TABLE sms ADD COLUMN reserved INTEGER;

-- What each sender has used of each limit in the window that is running (of paced SMS: that is being filled), in SMS
-- or ten-thousandths. The sender '' is all of them together.
CREATE TABLE used (
    sender TEXT NOT NULL,
    name TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    used INTEGER NOT NULL,
    most INTEGER,                      -- the limit when a mail last came
    told INTEGER NOT NULL,             -- at how many per cent the admin heard of it in this window
    refused INTEGER NOT NULL,          -- mails
    PRIMARY KEY (sender, name)
) WITHOUT ROWID;
CREATE INDEX used_by_end ON used (ends);

-- By how much what an SMS costs has changed since it was taken (`at`). Only written here, and added up by whoever
-- takes the next mail of that sender: the end of an SMS waits for nobody who is counting.
CREATE TABLE settled (
    id INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    at INTEGER NOT NULL,
    money INTEGER NOT NULL
);
CREATE INDEX settled_by_sender ON settled (sender, at, money);
CREATE INDEX settled_by_time ON settled (at);
