"""HTTP at the border: protocol, request context, bodies, errors, one log line.

It never decides what a request may do or cost.
"""
