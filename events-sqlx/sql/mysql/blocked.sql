-- Lines that dead letters block, longest blocked first: key, target, since when, how many dead letters, how many deliveries wait behind them.
SELECT CONVERT(d.`key` USING utf8mb4), CONVERT(d.target USING utf8mb4), min(d.died_at), count(*), coalesce(max(k.pending), count(*)) - count(*)
FROM {schema}outbox_dead AS d
LEFT JOIN {schema}outbox_key AS k ON k.`key` = d.`key` AND k.target = d.target
WHERE d.blocks = TRUE AND (:key IS NULL OR d.`key` = :key) AND (:target IS NULL OR d.target = :target)
GROUP BY d.`key`, d.target ORDER BY min(d.died_at) LIMIT :limit
