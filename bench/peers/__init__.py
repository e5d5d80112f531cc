"""Other gateways beside ours, in one run on one upstream: how each is installed, started and asked; the table.

It measures and never judges: what is unfair in the table, in both directions, is said in docs/performance.md.
"""
