"""People: registration, login, second factor, sessions, profile, mail, deletion. Owns `users` and what hangs on it.

It never makes a key or a token; what a person allowed to applications it ends through `grants_of_user`.
"""
