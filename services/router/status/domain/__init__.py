"""What calls say of a model's health: counts and times of the last minutes, judged.

Never: I/O, a clock of their own.
"""
