-- Gives up the lead :name if :token has it.
DELETE FROM {schema}relay_lease WHERE name = :name AND token = :token
