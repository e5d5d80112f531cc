"""Mails of accounts: what is written, who gets it, how it leaves.

Never in the way of an answer: nobody learns from the time what was found.
"""
