"""Circuits by provider, credential and model: who may be asked now, shared between the routers.

Never: the order of candidates, a call to a provider.
"""
