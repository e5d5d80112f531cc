"""/console/applications: applications that whoever is logged in registered, and those that they let in.

It decides nothing: the public API does, and this shows what it says.
"""
