"""What administrators order and see: accounts and credentials of others, the audit log.

Never: decide who is an administrator; auth does.
"""
