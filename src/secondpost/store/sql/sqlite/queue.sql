-- find_due: messages with due deliveries of one route and priority. Index only; the inner limit bounds the work when one message has many.
SELECT message, min(due) AS first
FROM (
    SELECT message, due FROM delivery
    WHERE state = 'waiting' AND route = ?1 AND priority = ?2 AND due <= ?3
    ORDER BY due
    LIMIT ?4
)
GROUP BY message
ORDER BY first, message;

-- due_messages: what the worker needs to know of them.
SELECT id, sender, priority, expires, accepted, size, from_email, entrypoint, notes FROM message WHERE id IN (SELECT value FROM json_each(?));

-- lease: claim all due deliveries of messages, each on one route. The fence grows past every one before it.
-- The plus signs keep SQLite from walking along the index of what waits: it must go from message to message.
UPDATE delivery
SET
    state = ?1,
    worker = ?2,
    due = NULL,
    fence = (SELECT max(fence) + 1 FROM delivery AS other WHERE other.message = delivery.message)
FROM json_each(?3) AS j
WHERE delivery.message = j.value ->> 0
    AND +delivery.route = j.value ->> 1
    AND +delivery.state = 'waiting'
    AND +delivery.due <= ?4
RETURNING message, number, recipient, tries, spent, possible_duplicate, connection, fence;

-- open_routes: routes with an open delivery. One seek for each route; leases and doubts are few.
SELECT names FROM route
WHERE EXISTS (SELECT 1 FROM delivery WHERE state = 'waiting' AND delivery.route = route.id)
    OR id IN (SELECT route FROM delivery WHERE worker IS NOT NULL)
    OR id IN (SELECT route FROM delivery WHERE state = 'unclear');

-- find_routes: numbers of routes by their names.
SELECT id, names FROM route WHERE names IN (SELECT value FROM json_each(?));

-- enroll: make a worker known, or keep it alive.
INSERT INTO worker (name, boot, expires) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET boot = excluded.boot, expires = excluded.expires;

-- lost_leases: of workers that are not known to live, or of all but one's own. A worker nobody knows is dead: it needs no row.
SELECT message, number, state, priority, fence, attempt, connection, started, possible_duplicate
FROM delivery INDEXED BY delivery_leased
WHERE (worker < ?2 OR worker > ?2) -- not `<>`: one's own, which are most, are stepped over
    AND (?1 OR worker NOT IN (SELECT name FROM worker WHERE expires > ?3))
ORDER BY message, number
LIMIT ?4;

-- lapse: take one back.
UPDATE delivery SET state = ?, due = ?, worker = NULL WHERE message = ? AND number = ?;

-- lapsed_attempt: what was under way when the worker died. A part of it may have been told before.
INSERT INTO attempt (message, fence, number, connection, started, ended, phase, outcomes, note)
VALUES (?, ?, ?, ?, ?, ?, 'point', ?, ?)
ON CONFLICT (message, fence, number) DO UPDATE SET
    ended = excluded.ended,
    phase = excluded.phase,
    note = excluded.note,
    outcomes = (
        SELECT json_group_array(json(value))
        FROM (SELECT value FROM json_each(attempt.outcomes) UNION ALL SELECT value FROM json_each(excluded.outcomes))
    );

-- forget_workers: the dead.
DELETE FROM worker WHERE name <> ?2 AND (?1 OR expires <= ?3);

-- find_expired: waiting deliveries whose time is over.
SELECT message, number FROM delivery WHERE state = 'waiting' AND expires <= ? ORDER BY expires LIMIT ?;

-- expire: nobody took it in time.
UPDATE delivery SET state = ?, due = NULL, reason = ? WHERE message = ? AND number = ?;

-- find_doubts: unclear deliveries whose policy is due.
SELECT message, number, priority FROM delivery
WHERE state = 'unclear' AND priority IN (SELECT value FROM json_each(?1)) AND due <= ?2 AND expires > ?2
ORDER BY due
LIMIT ?3;

-- hasten: what waits for a later time is due now.
UPDATE delivery SET due = ?1 WHERE message = ?2 AND state = 'waiting' AND due > ?1 RETURNING number;

-- deliveries_of: what can be moved.
SELECT number, state, possible_duplicate FROM delivery WHERE message = ? ORDER BY number;

-- move: one move of a person or a policy.
UPDATE delivery SET state = ?, due = ?, worker = NULL, reason = ?, possible_duplicate = ? WHERE message = ? AND number = ?;

-- drop_keys: idempotency keys whose day is over.
DELETE FROM idempotency WHERE (client, key) IN (SELECT client, key FROM idempotency WHERE expires <= ? ORDER BY expires LIMIT ?);

-- content_to_drop: contents of messages all of whose deliveries are final. The id bounds the walk: ids are ordered by time.
SELECT content.message, content.tail FROM content
WHERE content.message <= ?1
    AND (SELECT accepted FROM message WHERE id = content.message) < ?2
    AND NOT EXISTS (
        SELECT 1 FROM delivery WHERE delivery.message = content.message AND state IN ('waiting', 'leased', 'sending', 'unclear')
    )
ORDER BY content.message
LIMIT ?3;

-- drop_contents: the contents go, the log entries stay.
DELETE FROM content WHERE message IN (SELECT value FROM json_each(?));

-- entries_to_drop: messages all of whose deliveries are final.
SELECT id, (SELECT tail FROM content WHERE content.message = id) FROM message
WHERE id <= ?1
    AND accepted < ?2
    AND NOT EXISTS (
        SELECT 1 FROM delivery WHERE delivery.message = id AND state IN ('waiting', 'leased', 'sending', 'unclear')
    )
ORDER BY id
LIMIT ?3;

-- entries_finished: those of these messages all of whose deliveries are final.
SELECT id, (SELECT tail FROM content WHERE content.message = id) FROM message
WHERE id IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (
        SELECT 1 FROM delivery WHERE delivery.message = id AND state IN ('waiting', 'leased', 'sending', 'unclear')
    )
ORDER BY id DESC;

-- contents_finished: the contents of those of these messages all of whose deliveries are final.
SELECT message, tail FROM content
WHERE message IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (
        SELECT 1 FROM delivery WHERE delivery.message = content.message AND state IN ('waiting', 'leased', 'sending', 'unclear')
    )
ORDER BY message DESC;

-- contents_kept: contents and how large they are; 0 as long as a delivery is not final.
SELECT message, iif(
    EXISTS (
        SELECT 1 FROM delivery WHERE delivery.message = content.message AND state IN ('waiting', 'leased', 'sending', 'unclear')
    ), 0, (SELECT size FROM message WHERE id = content.message)
)
FROM content
WHERE message < ?1
ORDER BY message DESC
LIMIT ?2;

-- drop_words: what the search index knows of them.
DELETE FROM search WHERE rowid IN (SELECT value FROM json_each(?));

-- drop_events: what happened to them.
DELETE FROM event WHERE message IN (SELECT value FROM json_each(?));

-- drop_entries: the messages, with all that hangs on them.
DELETE FROM message WHERE id IN (SELECT value FROM json_each(?));

-- drop_old_events: of no message.
DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ? AND message IS NULL ORDER BY id LIMIT ?);
