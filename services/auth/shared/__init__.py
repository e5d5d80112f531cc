"""What every room of auth builds on: scopes, tiers, delegation, the audit log, revocations, transactions.

It never imports a room, and holds nothing that only one of them needs.
"""
