"""The authorization server: who may get which token, from the request to the answer. Owns the tables `oauth_*`.

It never sees a password: who is logged in, accounts tell.
"""
