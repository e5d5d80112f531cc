"""`follow` and `cutover`: what 1.0 wrote, changed and took away since, again and again, and for the last time.

How rows move is `moving`'s affair; nothing here writes to the source, the cut-over only refuses its writers.
"""
