-- How the server treats the outbox: a check, and what is wrong if something is, with its cure.
SELECT 'durability', CASE WHEN @@GLOBAL.innodb_flush_log_at_trx_commit <> 1
  THEN 'commits are not flushed (`innodb_flush_log_at_trx_commit` is not 1): a crash of the server may forget the latest transactions, with their events' END
UNION ALL
SELECT 'packet size', CASE WHEN @@GLOBAL.max_allowed_packet < 4194304
  THEN 'the server takes no message above `max_allowed_packet`, which is below 4 MiB; large payloads may not fit: raise it' END
UNION ALL
SELECT 'read-only', CASE WHEN @@GLOBAL.read_only <> 0
  THEN 'the server is read-only: connect to the primary, not to a replica' END
