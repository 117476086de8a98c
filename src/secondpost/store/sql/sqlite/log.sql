-- narrow: the filters that all pages take, whatever they walk along. A filter that is NULL does not filter. A hint is the longest
-- word looked for: text in ASCII without it need not be looked at by `spells`, which is Python and slow.
message.id < :before AND message.id > :after AND accepted >= :since AND accepted < :until
    AND (:standing IS NULL OR EXISTS (
        SELECT 1 FROM delivery AS other
        WHERE other.message = message.id AND {standing} = :standing
            AND (:withheld IS NULL OR withheld_as(other.reason) = :withheld)
    ))
    AND (:connection IS NULL OR EXISTS (
        SELECT 1 FROM delivery AS other WHERE other.message = message.id AND other.connection = :connection
    ))
    AND (:by_backup IS NULL OR EXISTS (
        SELECT 1 FROM delivery AS other JOIN route ON route.id = other.route
        WHERE other.message = message.id AND other.state = 'accepted' AND other.connection <> names ->> 0
    ))
    AND (:client IS NULL OR client = :client)
    AND (:error IS NULL OR EXISTS (
        SELECT 1 FROM attempt, json_each(outcomes) AS one
        WHERE attempt.message = message.id AND outcomes LIKE :error_hint AND one.value ->> 'kind' <> 'accepted' AND mentions(one.value ->> 'reply', :error)
    ))
    AND (:subject IS NULL OR (
        (message.subject LIKE :subject_hint OR message.subject GLOB '*[^ -~]*') AND spells(message.subject, :subject)
    ))
    AND (:address IS NULL OR (
        SELECT (text LIKE :address_hint OR text GLOB '*[^ -~]*') AND spells(text, :address)
        FROM (
            SELECT sender || ' ' || from_email || ' ' || group_concat(recipient, ' ') AS text
            FROM delivery AS other WHERE other.message = message.id
        )
    ))

-- standing: as core.event.standing.
iif(other.sequel IS NULL OR other.state IN ('waiting', 'leased', 'sending', 'unclear'), other.state, other.sequel)

-- all: along the messages. All pages give ids, newest first or (`up`) oldest first; they differ in what they walk along, so that
-- a page is found by an index whichever filter is narrow.
SELECT id FROM message WHERE {narrow}

-- page_all: newest first.
{all} ORDER BY id DESC LIMIT :limit;

-- page_all_up: oldest first.
{all} ORDER BY id LIMIT :limit;

-- odd: along the index of deliveries that did not simply end well.
SELECT DISTINCT delivery.message FROM delivery JOIN message ON message.id = delivery.message
WHERE delivery.state = :standing AND delivery.state IN ('waiting', 'unclear', 'rejected', 'expired', 'cancelled')
    AND delivery.message < :before AND delivery.message > :after AND {narrow}

-- page_odd: newest first.
{odd} ORDER BY delivery.message DESC LIMIT :limit;

-- page_odd_up: oldest first.
{odd} ORDER BY delivery.message LIMIT :limit;

-- leased: along the leases, which are few.
SELECT DISTINCT delivery.message FROM delivery INDEXED BY delivery_leased JOIN message ON message.id = delivery.message
WHERE worker IS NOT NULL AND delivery.state = :standing AND {narrow}

-- page_leased: newest first.
{leased} ORDER BY delivery.message DESC LIMIT :limit;

-- page_leased_up: oldest first.
{leased} ORDER BY delivery.message LIMIT :limit;

-- told: along the index of what providers told later.
SELECT DISTINCT delivery.message FROM delivery INDEXED BY delivery_sequel JOIN message ON message.id = delivery.message
WHERE delivery.sequel = :standing AND delivery.message < :before AND delivery.message > :after AND {narrow}

-- page_told: newest first.
{told} ORDER BY delivery.message DESC LIMIT :limit;

-- page_told_up: oldest first.
{told} ORDER BY delivery.message LIMIT :limit;

-- carried: along the index of connections and marks. What a delivery was carried by may have changed since: it is asked again.
SELECT id FROM carried CROSS JOIN message ON message.id = carried.message
WHERE carried.connection = :mark AND carried.message < :before AND carried.message > :after AND {narrow}

-- page_carried: newest first.
{carried} ORDER BY carried.message DESC LIMIT :limit;

-- page_carried_up: oldest first.
{carried} ORDER BY carried.message LIMIT :limit;

-- matching: along the words of subject and addresses.
SELECT id FROM search CROSS JOIN message ON message.id = search.rowid
WHERE search MATCH :match AND search.rowid < :before AND search.rowid > :after AND {narrow}

-- page_matching: newest first.
{matching} ORDER BY search.rowid DESC LIMIT :limit;

-- page_matching_up: oldest first.
{matching} ORDER BY search.rowid LIMIT :limit;

-- newest: where the newest messages before a place begin, as many as are looked through before an index is asked.
SELECT id FROM message WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?;

-- newest_up: where the oldest messages after a place end.
SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?;

-- oldest: where the log begins.
SELECT min(id) FROM message;

-- many_odd: whether a state is so common that words find a message sooner.
SELECT count(*) = ?2 FROM (SELECT 1 FROM delivery WHERE state = ?1 AND state IN (
    'waiting', 'unclear', 'rejected', 'expired', 'cancelled'
) LIMIT ?2);

-- many_told: the same of what providers told later.
SELECT count(*) = ?2 FROM (SELECT 1 FROM delivery WHERE sequel = ?1 LIMIT ?2);

-- rows: what lists show of these messages.
SELECT
    id, accepted, subject, sender, from_email, client, entrypoint, notes, size, priority,
    (
        SELECT json_group_array(json_array(recipient, state, connection, first, iif(state = 'cancelled', reason, ''), sequel))
        FROM (
            SELECT recipient, state, connection, reason, sequel, names ->> 0 AS first
            FROM delivery JOIN route ON route.id = delivery.route
            WHERE delivery.message = message.id
            ORDER BY number
        )
    )
FROM message
WHERE id IN (SELECT value FROM json_each(?));

-- indexed: how far the search index reaches.
SELECT value FROM meta WHERE name = 'indexed';

-- entry: what only one message's own page shows.
SELECT tag, expires, parent FROM message WHERE id = ?;

-- entry_deliveries: its deliveries.
SELECT
    number, recipient, state, names AS route, due, worker, fence, attempt, connection, started, tries, spent, reason,
    possible_duplicate
FROM delivery JOIN route ON route.id = delivery.route
WHERE message = ?
ORDER BY number;

-- entry_attempts: its attempts that ended.
SELECT number, connection, started, ended, phase, outcomes, note, transcript
FROM attempt
WHERE message = ?
ORDER BY started, fence, number;

-- entry_events: its events.
SELECT id, at, kind, connection, message, text FROM event WHERE message = ? ORDER BY id;

-- events: newest first. Their number is bounded by the retention, so those that do not fit are walked over.
SELECT id, at, kind, connection, message, text FROM event
WHERE id < :before
    AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:text IS NULL OR instr(lower(text || ' ' || connection), :text))
ORDER BY id DESC LIMIT :limit;

-- add_event: write down what happened.
INSERT INTO event (at, kind, connection, message, text) VALUES (?, ?, ?, ?, ?);

-- sequel: what is known to have come of a delivery.
SELECT sequel FROM delivery WHERE message = ? AND number = ?;

-- tell_sequel: what came of a delivery.
UPDATE delivery SET sequel = ? WHERE message = ? AND number = ?;

-- depth: what is open, by route, state and priority, each from its own small index. Ids are ordered by time: the least is the oldest.
SELECT names, state, priority, count, (SELECT accepted FROM message WHERE id = first), next_due
FROM (
    SELECT route, 'waiting' AS state, priority, count(*) AS count, min(message) AS first, min(due) AS next_due
    FROM delivery WHERE state = 'waiting' GROUP BY route, priority
    UNION ALL
    SELECT route, state, priority, count(*), min(message), NULL
    FROM delivery WHERE worker IS NOT NULL GROUP BY route, state, priority
    UNION ALL
    SELECT route, 'unclear', priority, count(*), min(message), min(due)
    FROM delivery WHERE state = 'unclear' GROUP BY route, priority
) AS open JOIN route ON route.id = open.route
ORDER BY names, state, priority;
