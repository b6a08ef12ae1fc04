-- Gives the other dead letters of :earlier, an earlier name of a target, its :present name.
UPDATE {schema}outbox_dead SET target = :present WHERE target = :earlier AND NOT blocks
