"""The border to the other services: protobuf stays inside, values come out.

It never decides anything: a client calls, translates and returns.
"""
