-- The indexes there are.
SELECT name FROM sqlite_master WHERE type = 'index'
