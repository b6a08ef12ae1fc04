-- Whether the tables are there at all.
SELECT (to_regclass('{schema}outbox_meta') IS NOT NULL)::integer
