"""Where settings come from, and what production refuses.

Owns the names of variables, secrets in files and the checks of the profile `production` that services share. Never
knows what a setting of a service means.
"""
