"""Authentication and authorization: who calls, and what they may do. Owns schema `auth`.

It never meters, routes or speaks HTTP to callers: the gateway does, and asks here over gRPC.
"""
