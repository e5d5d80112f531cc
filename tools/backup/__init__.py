"""Owns backup and restore of a suite: what is kept, in which order it is taken, and the proof that it came back whole.

Never keeps Redis: everything in it is rebuilt from PostgreSQL and the journals, or may be forgotten.
"""
