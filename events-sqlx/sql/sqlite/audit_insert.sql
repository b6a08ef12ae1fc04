-- Writes down what somebody did.
INSERT INTO {schema}outbox_audit (id, at, actor, action, detail) VALUES (:id, {now}, :actor, :action, :detail)
