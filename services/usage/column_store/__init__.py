"""The column store: a copy of the usage rows in ClickHouse, for analytics, patterns and reports.

It is fed from PostgreSQL, which stays the authority on what was stored once; it never takes a record from a gateway.
"""
