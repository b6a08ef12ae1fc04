-- What was committed, and so what must have been published: one row per fact, read from the business tables alone.
SELECT 'order.placed' AS topic, order_id, NULL AS payment FROM orders
UNION ALL
SELECT 'order.payok', order_id, reference FROM payments
UNION ALL
SELECT 'ticket.issued', order_id, NULL FROM tickets GROUP BY order_id
UNION ALL
SELECT 'order.shipped', order_id, NULL FROM shipments
UNION ALL
SELECT 'order.cancelled', order_id, NULL FROM cancellations
