"""Anthropic's Messages API in front of the same paid call: its bodies in, its answers, events and errors out.

Never: asks the router, prices, or knows a provider; a request becomes a chat, and an answer comes from one.
"""
