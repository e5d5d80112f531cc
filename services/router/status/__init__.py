"""Provider status, aggregated over all routers; one of them writes it and its history to PostgreSQL.

Never: decisions about a request.
"""
