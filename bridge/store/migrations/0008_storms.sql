-- How many mails with the same text an SMS stands for, 0 when it is the SMS of one mail.
ALTER TABLE sms ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;

-- Texts that are held back when they come again, and the SMS that was begun for those that came.
CREATE TABLE same_text (
    fingerprint BLOB PRIMARY KEY,
    until INTEGER NOT NULL,
    sms_id INTEGER
) WITHOUT ROWID;
CREATE INDEX same_text_until ON same_text (until);

-- Mails whose text another mail's SMS tells.
CREATE TABLE joined_mail (
    sms_id INTEGER NOT NULL REFERENCES sms (id) ON DELETE CASCADE,
    mail_id TEXT NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
    PRIMARY KEY (sms_id, mail_id)
) WITHOUT ROWID;
CREATE INDEX joined_mail_by_mail ON joined_mail (mail_id);

-- What each sender did in each hour: SMS, numbers that none had gone to before, the most to one number.
CREATE TABLE habit (
    sender TEXT NOT NULL,
    hour INTEGER NOT NULL,
    sms INTEGER NOT NULL,
    new_numbers INTEGER NOT NULL,
    one_number INTEGER NOT NULL,
    PRIMARY KEY (sender, hour)
) WITHOUT ROWID;
CREATE INDEX habit_by_hour ON habit (hour);
CREATE INDEX alarm_by_last ON alarm (last_at);
