"""Usage rows of the source: those that are plain are read quickly, and which of them has an id is known.

Nothing here writes a row or a report.
"""
