"""Login, by password or through an external provider, protected against guessing; and sessions until they end.

Never stores a secret that could be read again.
"""
