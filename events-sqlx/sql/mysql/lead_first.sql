-- Takes the lead :name where nobody ever had it. One row: it is ours.
INSERT IGNORE INTO {schema}relay_lease (name, owner, token, expires_at)
VALUES (:name, :owner, :token, {now} + INTERVAL :lease * 1000 MICROSECOND)
