"""Who is told of what, by which way: rules, channels, events, and each event's deliveries until they arrive.

Never: what counts as an anomaly or when a report is due; those rooms raise events here.
"""
