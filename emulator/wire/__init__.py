"""Bytes in and out, as they should be and in every faulty way that a test can ask for.

It knows no provider.
"""
