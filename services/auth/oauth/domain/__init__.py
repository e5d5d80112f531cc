"""The protocol's values, rules and refusals, as the RFCs have them.

No I/O, no clock, no framework.
"""
