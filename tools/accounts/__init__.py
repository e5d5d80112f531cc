"""Owns the accounts that a suite begins with: a person to try everything as, and the one who pays for probes.

Never knows how a suite is started: it is told where auth listens.
"""
