"""/console/budgets: what caps whoever is logged in, how it stands, and what is set, changed and removed of it.

It counts nothing: the public API tells how caps stand.
"""
