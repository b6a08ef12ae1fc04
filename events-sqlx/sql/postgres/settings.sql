-- How the server treats the outbox: a check, and what is wrong if something is, with its cure.
SELECT 'autovacuum', CASE WHEN current_setting('autovacuum') <> 'on'
  THEN 'autovacuum is off, so the outbox grows with what was delivered; switch it on' END
UNION ALL
SELECT 'autovacuum of the outbox', CASE WHEN EXISTS (
    SELECT 1 FROM pg_class AS c WHERE c.oid = to_regclass('{schema}outbox') AND 'autovacuum_enabled=false' = ANY (c.reloptions)
  ) THEN 'autovacuum is switched off for the table `outbox`; ALTER TABLE outbox RESET (autovacuum_enabled)' END
UNION ALL
SELECT 'dead rows', (
  SELECT CASE WHEN s.n_dead_tup > 1000000 AND s.n_dead_tup > 2 * s.n_live_tup
    THEN format('the table `outbox` has %s dead rows beside %s live ones (last vacuumed %s); look for transactions that are open for long, or VACUUM it',
      s.n_dead_tup, s.n_live_tup, coalesce(greatest(s.last_autovacuum, s.last_vacuum)::text, 'never')) END
  FROM pg_stat_all_tables AS s WHERE s.relid = to_regclass('{schema}outbox')
)
UNION ALL
SELECT 'open transactions', (
  SELECT CASE WHEN max(clock_timestamp() - a.xact_start) > interval '10 minutes'
    THEN format('a transaction of this database is open since %s (process %s); what is deleted meanwhile cannot be vacuumed: end it',
      min(a.xact_start)::text, (array_agg(a.pid ORDER BY a.xact_start))[1]) END
  FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
)
UNION ALL
SELECT 'durability', CASE WHEN current_setting('fsync') <> 'on' OR current_setting('synchronous_commit') = 'off'
  THEN 'commits are not flushed (`fsync` or `synchronous_commit` is off): a crash of the server may forget the latest transactions, with their events' END
