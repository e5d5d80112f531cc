"""Exactly-once use of Redis, although a client repeats a command when its answer is late or lost.

Decides which commands may be repeated, and offers single-use values and claims of names, whatever they stand for.
"""
