"""What waits for a user, in Redis, each with its expiry: authorization requests, devices, counted guesses.

Losing it loses only what is under way. Never says whether a token is valid. Secrets are stored as their SHA-256.
"""
