"""State of flows under way, in Redis with expiry: authorization requests, device codes, counted guesses.

Losing it loses only what is under way. Never says whether a token is valid. Secrets are stored as their SHA-256.
"""
