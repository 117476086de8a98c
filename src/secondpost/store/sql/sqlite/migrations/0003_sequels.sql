-- What came of a delivery after a provider had it, as far as the provider told (core.event.Sequel). Only webhooks write it.
ALTER TABLE delivery ADD COLUMN sequel TEXT CHECK (
    sequel IS NULL OR sequel = 'delivered' OR sequel = 'bounced' OR sequel = 'complained' OR sequel = 'failed'
);

-- What was told before this column was there; an event names its delivery first: "#0 anna@example.org: …".
UPDATE delivery SET sequel = CASE told.weight
    WHEN 1 THEN 'complained' WHEN 2 THEN 'bounced' WHEN 3 THEN 'failed' ELSE 'delivered'
END
FROM (
    SELECT
        message, CAST(substr(text, 2) AS INTEGER) AS number,
        min(CASE kind WHEN 'complained' THEN 1 WHEN 'bounced' THEN 2 WHEN 'failed' THEN 3 WHEN 'rejected' THEN 3 ELSE 4 END) AS weight
    FROM event
    WHERE message IS NOT NULL
        AND kind IN ('complained', 'bounced', 'failed', 'rejected', 'unsubscribed', 'clicked', 'opened', 'delivered')
        AND text GLOB '#[0-9]*'
    GROUP BY 1, 2
) AS told
WHERE delivery.message = told.message AND delivery.number = told.number;

-- For lists by it. Its condition names no column that the queue writes, so that moves do not touch it.
CREATE INDEX delivery_sequel ON delivery (sequel, message) WHERE sequel IS NOT NULL;
