"""Upstreams that speak the OpenAI dialect, by configuration alone.

Never: anything that is true of one upstream only.
"""
