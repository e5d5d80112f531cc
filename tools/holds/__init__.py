"""Random requests, what the emulator bills of them, and how much of a budget is usable: the holds' own laboratory.

It sends nothing: the emulator's readers count the very bodies that the router's adapters write.
"""
