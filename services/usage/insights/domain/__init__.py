"""Formulas, thresholds and texts of patterns, anomalies and advice. No I/O."""
