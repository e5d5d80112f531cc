"""From release 1.0 (SQLite) to 1.1 (PostgreSQL): every row of the source has one fate, and the report tells it."""
