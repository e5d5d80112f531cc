"""Forecasting: a user's future spending, its uncertainty, and when a limit will be reached.

Owns `usage.forecasts`, what was foretold. Never reads a request's row for a figure that statistics has, never bills.
"""
