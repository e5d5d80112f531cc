"""The playground: a question to one model or two, asked as its API's caller would, and the code that asks it.

It never asks past the public API: scopes, limits and bills are those of whoever is logged in.
"""
