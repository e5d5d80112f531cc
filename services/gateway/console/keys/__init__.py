"""/console/keys: API keys of whoever is logged in: listed, made, changed, replaced, ended; which model a name means.

It decides nothing: the public API does, and this shows what it says.
"""
