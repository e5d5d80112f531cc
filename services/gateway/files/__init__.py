"""Files: those that callers put here for batches, and those that models made for them.

It never keeps a file, nor a list of them: the first lie at the router, the others at the provider.
"""
