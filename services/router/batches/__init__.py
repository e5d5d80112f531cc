"""Files and batches of callers: their contents, encrypted, and the state of each line of a batch.

It never asks a model, and never bills: workers (the gateways) claim lines and say what became of them.
"""
