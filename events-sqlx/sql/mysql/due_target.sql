-- Whether a target has something due. Repeated for each target, with UNION ALL between. Reads only, so that an idle scanner takes no
-- locks; one target at a time, because only with a constant does the index skip what waits for its line.
SELECT ? FROM DUAL WHERE EXISTS (
  SELECT 1 FROM {schema}outbox AS o FORCE INDEX (outbox_due)
  WHERE o.target = ? AND o.visible_at <= coalesce(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? * 1000 MICROSECOND, UTC_TIMESTAMP(6))
    AND o.visible_at > coalesce(UTC_TIMESTAMP(6) - INTERVAL ? * 1000 MICROSECOND, TIMESTAMP'1000-01-01 00:00:00')
)
