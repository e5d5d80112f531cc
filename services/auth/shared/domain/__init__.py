"""Values and rules that all rooms share: pure functions that take `now`.

No I/O, no clock, no framework.
"""
