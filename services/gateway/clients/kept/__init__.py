"""Where bytes of answers are kept in Redis: for a next turn, for a retry; each step is atomic.

Never: what they say. They are unreadable here.
"""
