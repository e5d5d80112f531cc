"""Prometheus, Alertmanager and the running suite together: panels have figures, alarms ring and end.

Run by `make observability` and `make alerts`, not by `make test`: they need Debian's prometheus, and minutes.
"""
