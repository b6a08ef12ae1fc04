-- Writes down how a process is doing.
INSERT INTO {schema}outbox_process (id, owner, started_at, seen_at, report)
VALUES (:process, :owner, {now}, {now}, :report)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, report = excluded.report
