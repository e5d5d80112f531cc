"""What the catalogue says about models, as the gateway last told it: dated prices, windows, ends, successors.

Everything in usage that advises or asks "what if" reads it here; it never decides which model answers.
"""
