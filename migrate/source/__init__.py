"""The SQLite file of release 1.0: opened read-only, read as bytes, past its bad pages. Nothing here writes to it."""
