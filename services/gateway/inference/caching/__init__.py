"""Answers that callers ask to be cached: what is the same request, what may be cached, and how it is given again.

Never: whole bodies or events. One answer serves both forms, each rendered anew.
"""
