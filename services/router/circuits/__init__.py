"""Circuit breakers by provider, credential and model, shared between the routers.

Never: the order of candidates, a call to a provider.
"""
