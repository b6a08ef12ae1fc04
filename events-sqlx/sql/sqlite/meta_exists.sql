-- Whether the tables are there at all.
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'outbox_meta'
