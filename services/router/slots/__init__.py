"""Slots: queues for calls that wait for a provider's quota, fair to users across all replicas.

It never calls a provider, and never decides whether another model may answer.
"""
