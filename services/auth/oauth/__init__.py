"""The authorization server: who may get which token, from the request to the answer."""
