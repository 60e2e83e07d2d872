-- Every row here changes some times after it was written: cleaned before a fifth (the default) of a million rows is
-- dead. Room on its page would buy nothing, since nearly each change moves an entry of an index.
ALTER TABLE sms SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
