"""Where idempotency keys are kept: Redis, one record a key, each step of it one script.

Never: what a key or an answer says; both are unreadable here.
"""
