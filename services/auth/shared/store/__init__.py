"""The unit of work, and the SQL of tables that every room writes: audit log, revocations, accounts as read.

Rows become domain values here; nothing is decided.
"""
