"""Owns the proof that everything can be restarted, one after another, without a caller noticing.

Never says what a service does when it stops: that is measured here as it is.
"""
