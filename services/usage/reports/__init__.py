"""Reports: usage as a file from one snapshot, ordered once or by schedule, kept until it expires.

It never counts anything itself that statistics counts, and never sends a report to anybody.
"""
