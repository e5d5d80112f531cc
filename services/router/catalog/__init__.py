"""The model catalogue: one YAML file for each provider, checked when read, overridden by the administrator.

Never: a call to a provider, a choice between models.
"""
