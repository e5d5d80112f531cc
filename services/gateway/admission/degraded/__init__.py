"""What holds while Redis is lost: the breaker that notices, this gateway's share of each limit, guessed Redis time.

It never talks to Redis but to count the gateways, and keeps nothing that another gateway could see.
"""
