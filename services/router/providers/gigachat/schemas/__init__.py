"""Converts callers' JSON Schemas to the subset that GigaChat takes; what cannot be expressed is refused by name.

Never: prompts, request bodies, HTTP.
"""
