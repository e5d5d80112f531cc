"""API keys: issued, rotated, revoked, verified. Owns table `api_keys`.

It never knows passwords, sessions or OAuth grants.
"""
