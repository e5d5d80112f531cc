"""All SQL of accounts, one file for each group of tables; rows become domain values here.

Nothing is decided.
"""
