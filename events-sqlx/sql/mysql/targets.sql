-- The targets for which something is due, leased or waits for its time. DISTINCT hops from target to target in the index.
SELECT CONVERT(present.target USING utf8mb4) FROM (SELECT DISTINCT target FROM {schema}outbox FORCE INDEX (outbox_due)) AS present
