"""The HTTP server around the application: its limits, its stop, and what it says of its health.

It knows no route but those of its health.
"""
