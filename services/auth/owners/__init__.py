"""What notifications need to know of users: where they are written to, what caps their spending, which keys end.

Never: change anything, or tell it to anybody but the gateway.
"""
