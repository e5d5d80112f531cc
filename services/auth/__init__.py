"""Who is calling and what may they do. Owns schema `auth`; its rooms are `keys`, `oauth` and `accounts`.

It never meters, routes or speaks HTTP to callers: the gateway does, and asks here over gRPC.
"""
