"""Pages of administrators: people, organizations, the budgets of both, providers, catalogue, audit log and books.

Never: decide who is an administrator; the API does, which these pages ask in the name of who is logged in.
"""
