-- The first schema. Times are Unix milliseconds; names of states and moves are those of core/delivery.py.

-- Facts about this file: the canary that proves the key, how far the search index reaches.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- What stays of a message as long as its log entry: everything but its content. Ids are ordered by time.
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    accepted INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    size INTEGER NOT NULL,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    from_email TEXT NOT NULL,
    client TEXT NOT NULL,
    entrypoint TEXT NOT NULL,
    notes TEXT NOT NULL,
    tag TEXT NOT NULL,
    parent INTEGER
) STRICT;

-- The content, sealed: head and body in one piece (`head` says where the one ends), and the size of the tail file, if any.
-- Apart from `message`, so that lists and searches do not read it and retention can drop it early.
CREATE TABLE content (
    message INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    head INTEGER NOT NULL,
    tail INTEGER,
    sealed BLOB NOT NULL
) STRICT;

-- The ordered connections that may carry a delivery, as a JSON array of names; few, shared by all deliveries.
CREATE TABLE route (
    id INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE CHECK (json_type(names) = 'array')
) STRICT;

-- One message to one recipient. Narrow: this is the queue.
CREATE TABLE delivery (
    message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL CHECK (  -- those of the hot path first and by themselves: IN builds a table at every statement
        state = 'leased' OR state = 'sending' OR state = 'accepted'
        OR state IN ('waiting', 'unclear', 'rejected', 'expired', 'cancelled')
    ),
    route INTEGER NOT NULL REFERENCES route (id),
    priority INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    due INTEGER,              -- waiting: when to try; unclear: when the policy acts, NULL to hold for a person
    worker TEXT,              -- who holds the lease
    fence INTEGER NOT NULL,   -- grows with every lease: what an older one writes is refused
    attempt INTEGER,          -- the last attempt, what it began with and when
    connection TEXT,
    started INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    spent TEXT,               -- JSON array of connections that will never take it
    reason TEXT,
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message, number),
    CHECK ((state IN ('leased', 'sending')) = (worker IS NOT NULL)),
    CHECK (state <> 'waiting' OR due IS NOT NULL),
    CHECK (state <> 'sending' OR attempt IS NOT NULL),
    CHECK (due IS NULL OR state IN ('waiting', 'unclear'))
) STRICT, WITHOUT ROWID;

-- What the worker asks for: due deliveries of a route, urgent first.
CREATE INDEX delivery_waiting ON delivery (route, priority, due) WHERE state = 'waiting';
CREATE INDEX delivery_expiring ON delivery (expires) WHERE state = 'waiting';
CREATE INDEX delivery_unclear ON delivery (priority, due) WHERE state = 'unclear';
-- Leases, small at any time. Its condition names no state, so that `leased` to `sending` does not touch it.
CREATE INDEX delivery_leased ON delivery (worker) WHERE worker IS NOT NULL;
-- For lists by state. What ends well, nearly everything, is left out: any page of the log finds some.
CREATE INDEX delivery_odd ON delivery (state, message) WHERE state IN ('waiting', 'unclear', 'rejected', 'expired', 'cancelled');

-- Attempts that ended; one under way stands in its deliveries (attempt, connection, started) until then.
-- Attempts are numbered by the worker, so their number is unique within a lease (a fence).
CREATE TABLE attempt (
    message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    fence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    connection TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    phase TEXT NOT NULL CHECK (
        phase = 'point' OR phase IN ('connect', 'tls', 'greeting', 'login', 'envelope', 'body')
    ),
    outcomes TEXT NOT NULL,   -- JSON: one object for each delivery
    note TEXT NOT NULL,
    transcript BLOB,          -- sealed
    PRIMARY KEY (message, fence, number)
) STRICT, WITHOUT ROWID;

-- What happened beside deliveries: fallbacks, breakers, decisions of people.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    connection TEXT NOT NULL,
    message INTEGER,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX event_message ON event (message) WHERE message IS NOT NULL;

CREATE TABLE worker (
    name TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Idempotency keys, reserved in the transaction that stores the message.
CREATE TABLE idempotency (
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    message INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (client, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiring ON idempotency (expires);

-- Small documents; sealed, since they may hold passwords.
CREATE TABLE setting (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Search: filled later in batches, up to the message named in meta 'indexed'; younger messages are looked through one by one.
CREATE VIRTUAL TABLE search USING fts5 (
    subject, address,
    content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2"
);
CREATE TABLE carried (
    connection TEXT NOT NULL,
    message INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    PRIMARY KEY (connection, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX carried_message ON carried (message);
INSERT INTO meta (name, value) VALUES ('indexed', 0);
