"""Prove that a Redis of several servers may lose one, move slots and be restarted while requests run.

It never changes how services work: they find the servers by their settings.
"""
