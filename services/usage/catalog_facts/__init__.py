"""Facts about models that the gateway sends from the catalogue: dated prices, context windows, shutdowns, successors.

Everything in usage that advises or asks "what if" reads it here; it never decides which model answers.
"""
