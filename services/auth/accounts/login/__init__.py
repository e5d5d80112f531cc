"""From a proof to a session: by password or by another provider, slowed against guessing; and sessions until they end.

Never stores a secret that could be read again.
"""
