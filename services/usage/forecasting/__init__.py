"""Forecasting: what a user will have spent, how sure that is, and when a limit is reached.

Owns `usage.forecasts`, what was foretold. Never reads a request's row for a figure that statistics has, never bills.
"""
