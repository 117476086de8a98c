-- tally: deliveries of messages accepted in a slice of time, counted under a heading. The inner query counts those that stand
-- alike and took as long to be accepted, cut to two digits, so that the middle can be told; the outer one puts them together.
-- A test of one connection says nothing of the ways that mail takes: it is left out.
SELECT
    key,
    sum(iif(is_first AND standing IN ('accepted', 'delivered', 'bounced', 'complained'), n, 0)),
    sum(iif(NOT is_first AND standing IN ('accepted', 'delivered', 'bounced', 'complained'), n, 0)),
    sum(iif(standing IN ('rejected', 'expired', 'failed'), n, 0)),
    sum(iif(standing = 'unclear', n, 0)),
    sum(iif(standing IN ('waiting', 'leased', 'sending'), n, 0)),
    sum(iif(standing = 'cancelled', n, 0)),
    sum(iif(standing = 'delivered', n, 0)),
    sum(iif(standing = 'bounced', n, 0)),
    sum(iif(standing = 'complained', n, 0)),
    json_group_array(json_array(ms, n)) FILTER (WHERE ms IS NOT NULL)
FROM (
    SELECT key, ms, standing, is_first, count(*) AS n
    FROM (
        SELECT
            iif(  -- as core.event.standing
                sequel IS NULL OR state IN ('waiting', 'leased', 'sending', 'unclear'), state, sequel
            ) AS standing,
            delivery.connection IS names ->> 0 AS is_first,
            CASE :heading
                WHEN 'time' THEN CAST((accepted - :since) / :step AS TEXT)
                WHEN 'subject' THEN subject
                WHEN 'connection' THEN coalesce(delivery.connection, '')
                WHEN 'initiator' THEN client
                ELSE lower(substr(recipient, length(rtrim(recipient, replace(recipient, '@', ''))) + 1))
            END AS key,
            CASE
                WHEN state <> 'accepted' OR sequel = 'failed' OR ended IS NULL THEN NULL
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
    GROUP BY key, ms, standing, is_first
)
GROUP BY key;

-- last_attempts: of each connection, the last attempt that a provider took and the last that it did not; what a drill
-- refused on purpose tells nothing. With max(), SQLite takes the other columns from the same row.
SELECT attempt.connection, outcomes LIKE '%"kind":"accepted"%' AS taken, max(ended), attempt.message, outcomes
FROM message CROSS JOIN attempt ON attempt.message = message.id
WHERE message.id >= ? AND accepted >= ? AND NOT instr(outcomes, ?)
GROUP BY attempt.connection, taken;
