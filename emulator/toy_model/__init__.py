"""The toy model behind every provider: deterministic answers, vectors and token counts.

It knows no wire format.
"""
