"""What this router sees of the providers, exchanged with its peers through PostgreSQL.

Never: decisions about a request.
"""
