"""/v1/alerts and /v1/webhooks: who is told of what, and what usage is told so that it can.

Never: decides what is told, or sends anything to anybody itself.
"""
