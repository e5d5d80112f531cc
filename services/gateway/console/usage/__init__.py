"""/console/usage: what was used, over time, by group and beside the period before. The figures are the API's.

It never asks usage: it asks the public API and shows what that says.
"""
