-- Groups of which two nodes ended an SMS at once: whether that was the last is looked at again.
CREATE TABLE batch_again (id INTEGER PRIMARY KEY, batch TEXT NOT NULL);
CREATE INDEX batch_again_by_batch ON batch_again (batch);
