"""Insights: patterns and anomalies in a user's usage, and recommendations with their savings in roubles.

It reads rows and rollups and keeps what it found; it never changes what was billed and never acts on its advice.
"""
