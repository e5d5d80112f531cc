"""What the routers see of the providers, put together; one of them writes it to PostgreSQL, with its history.

Never: decisions about a request.
"""
