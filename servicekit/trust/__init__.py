"""Authentication between services: certificates, allowed callers of each RPC, and proofs that a client holds a key.

Owns how services prove to each other who they are, and in whose name they call. Never verifies a user's credential, and
never decides what a user may.
"""
