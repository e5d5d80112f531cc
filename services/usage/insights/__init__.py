"""Patterns in a user's usage, days and hours that cost more than they should, and advice with its saving in roubles.

It reads rows and rollups and keeps what it found; it never changes what was billed and never acts on its advice.
"""
