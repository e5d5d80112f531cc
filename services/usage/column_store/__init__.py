"""The column store: the usage rows once more in ClickHouse, and the questions of analytics, patterns and reports to it.

It is fed from PostgreSQL, which stays the authority on what was stored once; it never takes a record from a gateway.
"""
