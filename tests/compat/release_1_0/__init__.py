"""Release 1.0's contract: recorded exchanges, sent to a system that was moved from it, or to any address.

Nothing here knows 1.1: what is compared is what a client of 1.0 reads.
"""
