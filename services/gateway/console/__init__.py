"""The pages for people: log in, register, profile, security, sessions, applications, keys, data.

They show and change only what the services behind the API allow.
"""
