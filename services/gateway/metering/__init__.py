"""What did this request cost? Journal, settle, ship, recover, reap.

It never refuses a request and never sees a prompt.
"""
