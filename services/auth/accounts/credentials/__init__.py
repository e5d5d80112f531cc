"""What people prove themselves by: passwords, second factors, recovery codes.

Never opens a session.
"""
