"""/console/alerts and /console/webhooks: of what people are told, by which channels, and what went by them.

It sends nothing: the public API does.
"""
