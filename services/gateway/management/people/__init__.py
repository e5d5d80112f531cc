"""/v1/admin/users and /v1/admin/audit: who is there, on which tier, and what was done by whom.

Never: show a secret, or decide who is an administrator; auth does.
"""
