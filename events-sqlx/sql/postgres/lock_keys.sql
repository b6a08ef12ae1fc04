-- Locks the keys $1, so that nobody adds to them while their next delivery is being made deliverable.
SELECT key FROM {schema}outbox_key WHERE key = ANY ($1::text[]) ORDER BY key FOR UPDATE
