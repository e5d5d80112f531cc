"""Notifications at the border: what people do with channels and rules, and what usage is told of people.

Never: which events there are, or when one is told.
"""
