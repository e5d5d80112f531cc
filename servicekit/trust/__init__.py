"""Who is at the other end: certificates, lists of callers for each RPC, and a client's proof that it holds a key.

Owns how services prove to each other who they are, and in whose name they call. Never verifies a user's credential, and
never decides what a user may.
"""
