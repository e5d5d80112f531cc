"""Budgets at the auth service, and what was spent of them at the usage service.

It never decides anything: it asks, and converts at the border.
"""
