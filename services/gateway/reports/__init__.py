"""Reports over HTTP: ordered, followed, read by their owner or by a link, made by schedule.

It never makes a report and keeps none: the usage service does.
"""
