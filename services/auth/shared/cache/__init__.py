"""What auth tells the gateways through Redis.

Never the truth: that is in PostgreSQL.
"""
