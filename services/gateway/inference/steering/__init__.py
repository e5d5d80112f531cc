"""Owns what callers may say of who answers: `models`, `provider`, `route`; and the candidates that come of it.

Never asks a model, and never decides by what was seen of providers: the router does.
"""
