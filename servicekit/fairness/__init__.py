"""Nobody has all of what everybody shares.

It knows names of those who ask, and nothing of what they ask for.
"""
