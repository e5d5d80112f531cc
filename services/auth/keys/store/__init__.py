"""All SQL of API keys; rows become domain values here.

Nothing is decided.
"""
