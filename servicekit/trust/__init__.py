"""Who is at the other end of a connection, and which calls it may make: certificates and lists of callers.

Owns how services prove themselves to each other. Never knows users: whom a call is made for is the callee's business.
"""
