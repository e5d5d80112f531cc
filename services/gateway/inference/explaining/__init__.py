"""What a request tells of itself afterwards: what its settlement keeps of it, and how that and its row are told.

Never: pricing, counting, Redis; nothing here changes what a request costs or gets.
"""
