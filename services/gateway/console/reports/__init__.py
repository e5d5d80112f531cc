"""/console/reports: files of what was used, ordered, followed, fetched, and made by schedule.

It makes no report: the usage service does, behind the public API.
"""
