"""Who calls: bearer credentials verified here, remembered for seconds, ended by revocations; what a route needs.

It never decides what a request may cost, and keeps no secret in clear.
"""
