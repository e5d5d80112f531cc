"""What did this request cost? Journal, settle, ship, recover, reap."""
