-- The same for the dead letters that block one of the keys.
UPDATE {schema}outbox_dead SET target = :present WHERE target = :earlier AND blocks AND key = ANY (:key.key::text[])
