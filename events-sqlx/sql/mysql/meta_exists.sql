-- Whether the tables are there at all.
SELECT count(*) FROM information_schema.tables WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = 'outbox_meta'
