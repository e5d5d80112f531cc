"""Who is at the other end: certificates, lists of callers for each RPC, and a client's proof that it holds a key.

Owns how services prove themselves to each other. Never knows users: whom a call is made for is the callee's business.
"""
