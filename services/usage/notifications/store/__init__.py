"""The tables of notifications: rows to domain values and back."""
