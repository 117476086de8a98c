-- tally: deliveries of messages accepted in a slice of time, counted under a heading. The inner query counts each time to
-- acceptance apart, cut to two digits, so that their middle can be told; the outer one puts them together.
-- A test of one connection says nothing of the ways that mail takes: it is left out.
SELECT
    key, sum(first), sum(other), sum(failed), sum(unclear), sum(waiting), sum(cancelled),
    json_group_object(ms, first + other) FILTER (WHERE ms IS NOT NULL)
FROM (
    SELECT
        key, ms,
        sum(state = 'accepted' AND is_first) AS first,
        sum(state = 'accepted' AND NOT is_first) AS other,
        sum(state IN ('rejected', 'expired')) AS failed,
        sum(state = 'unclear') AS unclear,
        sum(state IN ('waiting', 'leased', 'sending')) AS waiting,
        sum(state = 'cancelled') AS cancelled
    FROM (
        SELECT
            state, delivery.connection IS names ->> 0 AS is_first,
            CASE :heading
                WHEN 'time' THEN CAST((accepted - :since) / :step AS TEXT)
                WHEN 'subject' THEN subject
                WHEN 'connection' THEN coalesce(delivery.connection, '')
                WHEN 'initiator' THEN client
                ELSE lower(substr(recipient, length(rtrim(recipient, replace(recipient, '@', ''))) + 1))
            END AS key,
            CASE
                WHEN state <> 'accepted' OR ended IS NULL THEN NULL
                WHEN ended - accepted < 100 THEN max(ended - accepted, 0)  -- as core.tally.rough
                WHEN ended - accepted < 1000 THEN (ended - accepted) / 10 * 10
                WHEN ended - accepted < 10000 THEN (ended - accepted) / 100 * 100
                WHEN ended - accepted < 100000 THEN (ended - accepted) / 1000 * 1000
                ELSE (ended - accepted) / 10000 * 10000
            END AS ms
        FROM message
        CROSS JOIN delivery ON delivery.message = message.id
        CROSS JOIN route ON route.id = delivery.route
        LEFT JOIN attempt
            ON attempt.message = delivery.message AND attempt.fence = delivery.fence AND attempt.number = delivery.attempt
        WHERE message.id > :after AND message.id < :before AND accepted >= :from AND accepted < :to
            AND NOT (tag IN ('test', 'drill') AND notes <> '')
    )
    GROUP BY key, ms
)
GROUP BY key;

-- last_attempts: of each connection, the last attempt that a provider took and the last that it did not; what a drill
-- refused on purpose tells nothing. With max(), SQLite takes the other columns from the same row.
SELECT attempt.connection, outcomes LIKE '%"kind":"accepted"%' AS taken, max(ended), attempt.message, outcomes
FROM message CROSS JOIN attempt ON attempt.message = message.id
WHERE message.id >= ? AND accepted >= ? AND NOT instr(outcomes, ?)
GROUP BY attempt.connection, taken;
