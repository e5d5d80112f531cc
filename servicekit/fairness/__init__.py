"""Fair sharing of limited resources among callers.

Knows the names of callers, and nothing of what they ask for.
"""
