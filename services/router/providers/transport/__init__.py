"""Transport to providers: the HTTP client, authentication, and splitting streams into lines and events.

Never: what a vendor's bytes mean.
"""
