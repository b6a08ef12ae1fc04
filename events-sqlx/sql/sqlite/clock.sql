-- What time it is, in microseconds after the Unix epoch.
SELECT {micros}
