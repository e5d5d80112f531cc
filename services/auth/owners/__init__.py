"""What notifications need to know of users: where they are written to, what caps their spending, which keys end; and
how it stands with the credentials by which something of theirs was made.

Never: change anything, or tell it to anybody but the gateway.
"""
