"""The routes of inference, one module a resource: bodies in, rendered answers out.

Paid routes are `PaidRoute`s; they never admit, journal or settle: `answers` and `paid_call` do.
"""
