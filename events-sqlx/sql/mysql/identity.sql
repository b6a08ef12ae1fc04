-- Which outbox this is.
SELECT id FROM {schema}outbox_identity
