"""Files of reports, format by format: rows in, bytes out, the same bytes for the same rows. Knows no database."""
