-- What the handlers received: one row per target and event, with the number of times it arrived and when it first did.
SELECT 'issue_ticket' AS target, 'order.payok' AS topic, order_id, event_id, payment,
       count(*) AS deliveries, min(occurred_at) AS occurred_at, min(issued_at) AS received_at
FROM tickets GROUP BY event_id
UNION ALL
SELECT 'send_receipt', 'order.payok', order_id, event_id, payment, count(*), min(occurred_at), min(sent_at)
FROM receipts GROUP BY event_id
UNION ALL
SELECT 'timeline', topic, order_id, event_id, payment, count(*), min(occurred_at), min(noted_at)
FROM order_timeline GROUP BY event_id
