"""May a request begin? The journal, the records behind it and the clock, in words.

It never decides what a request costs.
"""
