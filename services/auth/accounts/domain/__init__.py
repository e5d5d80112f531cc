"""What is known of people, which passwords and addresses are accepted, how guessing is slowed.

No I/O, no clock, no framework.
"""
