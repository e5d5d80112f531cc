"""The verbs of `razvilka-migrate`, a module each: from the command line to an exit status.

What a verb does to rows is below, in `moving`, `inspection` and `report`; nothing here reads or writes a database.
"""
