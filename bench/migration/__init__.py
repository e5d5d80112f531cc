"""Measures the move from release 1.0: rows a second, CPU of each side, memory, rollups; beside pgloader.

It makes its data and its server, and leaves nothing behind.
"""
