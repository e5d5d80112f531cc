"""How large a request is, whatever the model: what a hold is made of.

It owns counting; it never knows prices, models or providers.
"""
