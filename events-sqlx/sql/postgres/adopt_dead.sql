-- Gives dead letters of $1, the earlier name of a target, its present name $2.
UPDATE {schema}outbox_dead SET target = $2 WHERE target = $1
