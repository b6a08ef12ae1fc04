-- How the database file treats the outbox: a check, and what is wrong if something is, with its cure.
SELECT 'free pages', CASE WHEN f.freelist_count > 100000 AND f.freelist_count * 2 > p.page_count
  THEN 'more than half of the file is free pages; VACUUM gives them back, while nobody writes' END
FROM pragma_freelist_count AS f, pragma_page_count AS p
