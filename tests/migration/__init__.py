"""Proof that a move from release 1.0 lost nothing: a checker of its own, databases of every dirt, kills and faults.

It drives the tool as an operator does. What judges a move, `checker`, shares no code with what made it.
"""
