"""Caps and organizations as values. No I/O."""
