"""Admission in a Redis Cluster of a request whose counters have two owners: its user, and its organization.

It never knows a server, and no part of it runs where all keys are on one.
"""
