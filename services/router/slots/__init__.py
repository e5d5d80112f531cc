"""Slots: owns the lines in which calls wait for what a provider's quota allows, fair to users over all replicas.

It never calls a provider, and never decides whether another model may answer.
"""
