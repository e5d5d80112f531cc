"""Health of models from calls: counts and durations of the last minutes, and their judgement.

Never: I/O, a clock of their own.
"""
