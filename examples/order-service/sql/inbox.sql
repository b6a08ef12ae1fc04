-- What the ticketing service received, in the order in which it first arrived.
SELECT 'ticketing' AS target, topic, order_id, event_id, payment, deliveries, occurred_at, received_at
FROM inbox ORDER BY position
