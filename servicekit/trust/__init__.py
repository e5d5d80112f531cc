"""Tokens and authentication between services: JWT, certificates, allowed callers of each RPC, proofs of possession.

Owns how services prove to each other who they are, and in whose name they call. Never verifies a user's credential, and
never decides what a user may.
"""
