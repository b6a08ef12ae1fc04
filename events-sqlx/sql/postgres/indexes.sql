-- The indexes there are.
SELECT i.indexname::text FROM pg_indexes AS i WHERE i.schemaname = coalesce(:schema::text, current_schema())
