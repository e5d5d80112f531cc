"""The owners of moved accounts: who is written to, how fast, and the record of who was.

Nothing here sends a mail or writes a database: that is auth's.
"""
