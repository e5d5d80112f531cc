"""The API by which people manage what is theirs: profile, keys, applications, grants, sessions.

It never decides who may: auth does, and refuses.
"""
