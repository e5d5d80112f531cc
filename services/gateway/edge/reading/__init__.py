"""How every route reads a body: bounded in bytes and seconds, then in depth and elements, then strictly.

It never looks at what a body means, and never works longer at once than a few milliseconds.
"""
