-- Days are judged in the zone of whose they are: an incident of days says in which they begin.
ALTER TABLE usage.incidents ADD COLUMN zone text NOT NULL DEFAULT 'UTC' CHECK (length(zone) BETWEEN 1 AND 64);
COMMENT ON COLUMN usage.incidents.zone IS 'IANA name, in which begins_at is midnight';
