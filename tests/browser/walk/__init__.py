"""Every page in Chromium, in every language, scheme, size and state: `make pages-walk`.

It looks and takes pictures; what a page does is tried beside it, in `tests/browser` and in the rooms of the gateway.
"""
