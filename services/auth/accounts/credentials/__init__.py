"""Credentials of people: passwords, second factors, recovery codes.

Never opens a session.
"""
