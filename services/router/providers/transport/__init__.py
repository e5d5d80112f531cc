"""Bytes to and from providers: the HTTP client, who we say we are, lines and events out of what arrives.

Never: what a vendor's bytes mean.
"""
