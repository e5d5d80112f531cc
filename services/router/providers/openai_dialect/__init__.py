"""The OpenAI wire format, shared by the providers that speak it; differences between speakers are `Quirks`.

Never: addresses, credentials, connections.
"""
