"""What a person does with journals and dead letters: look into them, send letters again.

It never runs inside a gateway that serves.
"""
