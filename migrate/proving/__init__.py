"""Proof by keys that somebody has: they verify in 1.1 as they did in 1.0, by the running auth where it can be asked.

It never tells a key, nor writes one down.
"""
