-- set_up_writer: durability first. Checkpoints are ours to time: off the path of commits.
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -24576;
PRAGMA journal_size_limit = 67108864;

-- set_up_reader: may not write, whatever is asked.
PRAGMA synchronous = FULL;
PRAGMA query_only = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -8192;

-- find_canary: the value that proves the key.
SELECT value FROM meta WHERE name = 'canary';

-- add_canary: for a new database.
INSERT INTO meta (name, value) VALUES ('canary', ?);

-- prove: a write that changes nothing anybody reads.
INSERT INTO meta (name, value) VALUES ('ready', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- with_content: which of these messages have content.
SELECT message FROM content WHERE message IN (SELECT value FROM json_each(?));

-- copy: the whole database into a new file.
VACUUM INTO ?;

-- check: damage in the structure of the file.
PRAGMA quick_check;

-- indexed: how far the search index reaches.
SELECT value FROM meta WHERE name = 'indexed';

-- index_next: the last of the next messages to index, and how many they are. Young ones are left: they may still change.
SELECT max(id), count(*)
FROM (SELECT id, accepted FROM message WHERE id > (SELECT value FROM meta WHERE name = 'indexed') ORDER BY id LIMIT ?)
WHERE accepted < ?;

-- index_words: of messages after the first and up to the second id.
INSERT INTO search (rowid, subject, address)
SELECT
    id, subject,
    sender || ' ' || from_email || ' ' || (SELECT group_concat(recipient, ' ') FROM delivery WHERE message = message.id)
FROM message
WHERE id > ? AND id <= ?;

-- index_carried: the connections of their deliveries.
INSERT OR IGNORE INTO carried (connection, message)
SELECT connection, message FROM delivery
WHERE message > ? AND message <= ? AND connection IS NOT NULL
ORDER BY connection, message;

-- index_marks: those that the backup may have taken, and those that had trouble (see the migration 0002).
INSERT OR IGNORE INTO carried (connection, message)
SELECT '/backup', message FROM delivery JOIN route ON route.id = delivery.route
WHERE message > ?1 AND message <= ?2 AND connection <> names ->> 0
UNION ALL
SELECT '/trouble', message FROM attempt
WHERE message > ?1 AND message <= ?2
    AND EXISTS (SELECT 1 FROM json_each(outcomes) WHERE value ->> 'kind' <> 'accepted');

-- index_done: the index reaches this message.
UPDATE meta SET value = ? WHERE name = 'indexed';
