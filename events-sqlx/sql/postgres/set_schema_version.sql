UPDATE {schema}outbox_meta SET schema_version = :version
