"""/v1/keys, /v1/clients: what may act for a user, made, changed and ended by its owner; which model a name means.

It never decides what a credential may hand on: auth does.
"""
