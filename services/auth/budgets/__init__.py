"""Caps that owners and administrators set, and the organizations whose budgets cap many accounts together.

It never counts what was spent, and never decides whether a request may pass: that is the gateway's.
"""
