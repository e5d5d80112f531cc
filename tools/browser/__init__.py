"""Browsers for the demo and for tests: one without scripts (cookies, redirects, forms of the gateway), and Chromium.

They see pages as people do, and know nothing of what is behind them.
"""
