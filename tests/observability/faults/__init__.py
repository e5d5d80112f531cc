"""What is done to the running suite, alarm by alarm: each fault does harm, waits, and mends it as the runbook says.

It never sets a metric by hand.
"""
