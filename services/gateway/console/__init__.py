"""The pages for people: doors, account and usage, and a room each for what they manage, try out and administer.

They show and change only what the services behind the API allow.
"""
