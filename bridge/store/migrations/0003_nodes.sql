-- Who works on this database: a row per process, from its start to its end in good order.
CREATE TABLE node (
    id TEXT PRIMARY KEY,               -- random per start
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    parts TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    beat_at INTEGER NOT NULL,
    gone_after INTEGER NOT NULL,       -- ms without a heartbeat after which what it was sending is given up
    draining INTEGER NOT NULL
) WITHOUT ROWID;

-- The work of a part that one node at a time does.
CREATE TABLE lease (
    part TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- The rate over all nodes: the next moment that nobody has taken, in microseconds UTC.
CREATE TABLE pace (name TEXT PRIMARY KEY, free_at INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO pace (name, free_at) VALUES ('send', 0);
