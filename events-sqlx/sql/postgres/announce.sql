-- Tells whoever listens on :channel to look; :speaker says who speaks.
SELECT pg_notify(:channel, :speaker)
