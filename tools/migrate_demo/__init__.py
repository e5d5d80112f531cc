"""A whole move from release 1.0, shown: a dirty database, a 1.0 that goes on writing, and every verb in its order.

It runs `razvilka-migrate` as an operator does, and shares no code with it.
"""
