//! Operates outboxes: the `outbox` command, the relay daemon, the dashboard, metrics. Knows databases and brokers, but no handlers of its own.
