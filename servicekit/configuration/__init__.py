"""Reads settings from the environment, and refuses in production what is fit for a demonstration only.

Owns the names of variables, secrets in files and the checks of the profile `production` that services share. Never
knows what a setting of a service means.
"""
