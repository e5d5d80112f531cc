"""`run --from-quarantine`: rows that waited, with the values that a person gave them, by the rules of every row.

Reads the report and writes through the entrances that `moving` and `following` use; no rule of its own.
"""
