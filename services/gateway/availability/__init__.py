"""How the service is, for everybody: each provider and model version, what went wrong and when, as JSON and as a feed.

It knows of no user: whatever it is told of requests are sums over everybody, and it tells only their shares.
"""
