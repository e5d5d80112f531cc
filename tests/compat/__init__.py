"""Clients that we did not write, and the contract of release 1.0."""
