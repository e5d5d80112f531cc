"""The ways to a token: authorization code, device, client credentials, exchange; and the endpoints they meet at.

They never sign or read a token themselves: `tokens` does.
"""
