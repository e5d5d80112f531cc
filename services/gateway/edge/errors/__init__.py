"""Errors on their way out: the API's and the protocol's JSON, what FastAPI raises, and the shape that is described.

Which status and code a reason has, `edge.problems` says; pages show errors by themselves.
"""
