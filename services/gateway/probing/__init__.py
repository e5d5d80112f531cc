"""Probes: a small question to each model version every few minutes, as users ask, so that trouble shows without users.

It asks through the edge with a key of its own, which is limited and billed as every other: it never goes around that.
"""
