UPDATE outbox_meta SET schema_version = ?1
