"""People: registration, login, second factor, sessions, profile, mail, leaving."""
