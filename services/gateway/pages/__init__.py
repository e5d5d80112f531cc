"""What every page for people shares: templates, texts in two languages, cookies, forms, sessions, policies.

It knows no page in particular.
"""
