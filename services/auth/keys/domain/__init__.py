"""What a key looks like, how it is stored, and what may be asked of a new one.

No I/O, no clock, no framework.
"""
