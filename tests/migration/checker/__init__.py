"""Judges a finished move from the source file, the report and the two databases; it knows no module of the tool's.

What a value becomes is read from docs/migration/inspect.md a second time: two readings that agree are no accident.
"""
