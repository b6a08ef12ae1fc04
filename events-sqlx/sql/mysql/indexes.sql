-- The indexes there are.
SELECT DISTINCT CONVERT(index_name USING utf8mb4) FROM information_schema.statistics WHERE table_schema = coalesce(:schema, DATABASE())
