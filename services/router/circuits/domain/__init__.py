"""Rules of circuits and of the retry budget: pure functions of what was seen and when.

Never: I/O, a clock of their own.
"""
