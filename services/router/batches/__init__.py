"""Owns callers' files and batches: what is in them, sealed, and how far each line of a batch is.

It never asks a model, and never bills: workers (the gateways) claim lines and say what became of them.
"""
