"""Notifications: rules, channels, events, and the deliveries of each event until they arrive.

Never: what counts as an anomaly or when a report is due; those rooms raise events here.
"""
