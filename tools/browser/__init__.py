"""Browsers for the demo and for tests: one without scripts (cookies, redirects within the gateway, forms), and Chromium.

They see pages as people do, and know nothing of what is behind them.
"""
