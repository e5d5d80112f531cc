"""The authorization server's endpoints and pages. Auth decides; here answers get the form of the protocol.

It never sees how a password or a code is checked.
"""
