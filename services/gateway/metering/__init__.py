"""What did this request cost? Journal, settle, ship, recover, bill what expired.

It never refuses a request and never sees a prompt.
"""
