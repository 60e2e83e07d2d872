-- Every SMS changes some times after it was written: room for that on its page, and cleaned before it has grown
-- by a fifth (the default) of a million rows.
ALTER TABLE sms SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE outbox SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE account SET (fillfactor = 50);
