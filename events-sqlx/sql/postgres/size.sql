-- About how many deliveries there are, by the planner's statistics; -1 if it has none.
SELECT c.reltuples::bigint FROM pg_class AS c WHERE c.oid = to_regclass('{schema}outbox')
