"""All SQL of OAuth, one file for each table; rows become domain values here.

Nothing is decided.
"""
