"""Imports usage rows of release 1.0, with the same inserts and rollups as `Record`."""
