"""The router service: prompts out, answers and the catalogue in, all calls over one wire.

It never tries again: the router does.
"""
