"""Pages of administrators: people, providers, the catalogue, the audit log and the books.

Never: decide who is an administrator; the API does, which these pages ask in the name of who is logged in.
"""
