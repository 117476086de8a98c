-- Marks stand in `carried` beside the names of connections, and begin with a slash, which no name does: '/backup' for messages
-- that may have gone by another connection than the first of their route, '/trouble' for those with an attempt that did not
-- succeed. As with connections, what a mark says is asked again. Here: those of messages that are indexed already.
INSERT OR IGNORE INTO carried (connection, message)
SELECT '/backup', message FROM delivery JOIN route ON route.id = delivery.route
WHERE message <= (SELECT value FROM meta WHERE name = 'indexed') AND connection <> names ->> 0
UNION ALL
SELECT '/trouble', message FROM attempt
WHERE message <= (SELECT value FROM meta WHERE name = 'indexed')
    AND EXISTS (SELECT 1 FROM json_each(outcomes) WHERE value ->> 'kind' <> 'accepted');
