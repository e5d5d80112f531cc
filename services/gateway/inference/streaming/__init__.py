"""Answers as they are made: deltas become server-sent events, and events are written while the caller listens.

Never: what an answer costs, or who asks.
"""
