"""Mails as they leave: what one is made of, and the way to an SMTP server.

Never: who is written to, why, and when it is tried again.
"""
