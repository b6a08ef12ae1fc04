-- Whether the tables are there at all.
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'outbox_meta'
