-- set_up_writer: durability first. Checkpoints are ours to time: off the path of commits.
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -65536;
PRAGMA journal_size_limit = 67108864;

-- set_up_reader: may not write, whatever is asked.
PRAGMA synchronous = FULL;
PRAGMA query_only = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -16384;

-- find_canary: the value that proves the key.
SELECT value FROM meta WHERE name = 'canary';

-- add_canary: for a new database.
INSERT INTO meta (name, value) VALUES ('canary', ?);

-- prove: a write that changes nothing anybody reads.
INSERT INTO meta (name, value) VALUES ('ready', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
