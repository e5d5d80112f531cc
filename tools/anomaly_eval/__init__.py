"""Judges the rule that calls a day of spending an anomaly on public series with spikes put in."""
