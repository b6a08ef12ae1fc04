-- The process is gone.
DELETE FROM {schema}outbox_process WHERE id = :process
