"""Where bytes of answers are kept in Redis: for a next turn, a retry, the same question; each step is atomic.

Never: what they say. They are unreadable here.
"""
