"""Owns the proof that a release follows another under load, and the way back: old and new programs side by side.

Never says what a migration or a message may change: that is tried here as it is.
"""
