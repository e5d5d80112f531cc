"""Sessions, pending logins and counted guesses in Redis.

Losing them logs people out, never in.
"""
