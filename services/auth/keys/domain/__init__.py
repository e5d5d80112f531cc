"""The format of keys, how they are hashed, and the rules for new ones.

No I/O, no clock, no framework.
"""
