-- About how many deliveries there are, by the optimizer's statistics.
SELECT CAST(coalesce(max(table_rows), -1) AS SIGNED) FROM information_schema.tables
WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = 'outbox'
