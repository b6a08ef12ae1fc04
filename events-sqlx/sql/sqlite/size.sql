-- At most so many deliveries there are: the distance from the first row to the last.
SELECT coalesce(max(rowid) - (SELECT min(rowid) FROM {schema}outbox) + 1, 0) FROM {schema}outbox
