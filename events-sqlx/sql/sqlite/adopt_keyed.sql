-- Gives deliveries of the keys that wait for :earlier, an earlier name of a target, its :present name.
UPDATE {schema}outbox SET target = :present WHERE target = :earlier AND key IN (SELECT value ->> 0 FROM json_each(:key))
