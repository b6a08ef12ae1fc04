-- Gives deliveries without a key that wait for :earlier, an earlier name of a target, its :present name.
UPDATE {schema}outbox SET target = :present WHERE target = :earlier AND visible_at IS NOT NULL AND key IS NULL
