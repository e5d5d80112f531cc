"""What connections to others may be made to: which addresses are public, what is connected to is what was looked at.

Never: what is sent there.
"""
