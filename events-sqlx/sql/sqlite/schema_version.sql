SELECT schema_version FROM {schema}outbox_meta
