"""JSON Schemas of callers, said in the subset that GigaChat takes; what cannot be said is refused by name.

Never: prompts, request bodies, HTTP.
"""
