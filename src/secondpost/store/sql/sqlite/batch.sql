-- make_batch: one statement that carries everything a batch writes to the queue.
-- In autocommit mode that statement is the whole transaction, fsync included: the writer thread takes part in the fight for
-- the interpreter lock twice a batch instead of twice a statement. TEMP: it belongs to the writing connection, not the schema.
-- Each parameter is an array of rows as JSONB, which SQLite reads nearly twice as fast as JSON; `contents` is all sealed contents in one piece. An update that misses a row means that
-- a lease was lost: the batch is undone and its operations are taken one by one.
CREATE TEMP VIEW batch (messages, contents, deliveries, keys, starts, started, attempts, changes, changed, late) AS
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;
CREATE TEMP TRIGGER write_batch INSTEAD OF INSERT ON batch
BEGIN
    INSERT INTO message (
        id, accepted, expires, priority, size, sender, subject, from_email, client, entrypoint, notes, tag, parent
    )
    SELECT
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10, value ->> 11, value ->> 12
    FROM jsonb_each(NEW.messages);

    INSERT INTO content (message, head, tail, sealed)
    SELECT value ->> 0, value ->> 13, value ->> 14, substr(NEW.contents, value ->> 15, value ->> 16)
    FROM jsonb_each(NEW.messages);

    INSERT INTO delivery (message, number, recipient, state, route, priority, expires, due, worker, fence, reason)
    SELECT
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
        value ->> 9, value ->> 10
    FROM jsonb_each(NEW.deliveries);

    INSERT INTO idempotency (client, key, digest, message, expires)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM jsonb_each(NEW.keys);

    -- [message, number, worker, fence, attempt, connection, started]
    UPDATE delivery
    SET state = 'sending', attempt = j.value ->> 4, connection = j.value ->> 5, started = j.value ->> 6
    FROM jsonb_each(NEW.starts) AS j
    WHERE delivery.message = j.value ->> 0
        AND delivery.number = j.value ->> 1
        AND delivery.worker = j.value ->> 2
        AND delivery.fence = j.value ->> 3
        AND (delivery.state = 'leased' OR (delivery.state = 'sending' AND delivery.attempt = j.value ->> 4));
    SELECT RAISE(ABORT, 'a start found no lease') WHERE changes() <> NEW.started;

    INSERT INTO attempt (message, fence, number, connection, started, ended, phase, outcomes, note, transcript)
    SELECT
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value -> 7, value ->> 8,
        unhex(value ->> 9)
    FROM jsonb_each(NEW.attempts)
    WHERE true -- or SQLite's parser takes the next ON for a join's
    -- An attempt that is told in parts is one row: its outcomes are put together.
    ON CONFLICT (message, fence, number) DO UPDATE SET
        ended = excluded.ended,
        phase = excluded.phase,
        note = excluded.note,
        transcript = coalesce(excluded.transcript, transcript),
        outcomes = (
            SELECT json_group_array(json(value))
            FROM (SELECT value FROM json_each(attempt.outcomes) UNION ALL SELECT value FROM json_each(excluded.outcomes))
        );

    -- [message, number, worker, fence, state if leased, state if sending, due, tries, spent, reason, possible duplicate,
    --  attempt, connection, worker after]
    UPDATE delivery
    SET
        state = CASE delivery.state WHEN 'leased' THEN j.value ->> 4 ELSE j.value ->> 5 END,
        due = j.value ->> 6,
        tries = j.value ->> 7,
        spent = j.value ->> 8,
        reason = j.value ->> 9,
        possible_duplicate = max(possible_duplicate, j.value ->> 10), -- once it is one it stays one
        attempt = coalesce(j.value ->> 11, delivery.attempt),
        connection = coalesce(j.value ->> 12, delivery.connection),
        worker = j.value ->> 13
    FROM jsonb_each(NEW.changes) AS j
    WHERE delivery.message = j.value ->> 0
        AND delivery.number = j.value ->> 1
        AND delivery.worker = j.value ->> 2
        AND delivery.fence = j.value ->> 3
        AND CASE delivery.state WHEN 'leased' THEN j.value ->> 4 WHEN 'sending' THEN j.value ->> 5 END IS NOT NULL;
    SELECT RAISE(ABORT, 'a record found no lease') WHERE changes() <> NEW.changed;

    -- Connections that carried messages which the search index has passed already.
    INSERT OR IGNORE INTO carried (connection, message)
    SELECT value ->> 0, value ->> 1 FROM jsonb_each(NEW.late);
END;

-- write: all of a batch.
INSERT INTO batch (messages, contents, deliveries, keys, starts, started, attempts, changes, changed, late)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- held: what a delivery stands at, to tell a lost lease from an illegal move.
SELECT state, worker, fence FROM delivery WHERE message = ? AND number = ?;

-- find_key: who used an idempotency key before.
SELECT message, digest, expires FROM idempotency WHERE client = ? AND key = ?;

-- drop_key: an idempotency key whose time is over.
DELETE FROM idempotency WHERE client = ? AND key = ?;

-- find_route: the number of a route.
SELECT id FROM route WHERE names = ?;

-- add_route: a route seen for the first time.
INSERT INTO route (names) VALUES (?) RETURNING id;
