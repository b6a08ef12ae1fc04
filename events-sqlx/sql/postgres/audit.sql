-- What people did, the latest first, before :before.
SELECT id, at, actor, action, detail FROM {schema}outbox_audit WHERE id < :before ORDER BY id DESC LIMIT :limit
