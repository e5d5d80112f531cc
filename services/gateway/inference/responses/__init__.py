"""OpenAI's Responses API in front of the same paid call: its items and events, and what is kept of an answer.

Never: asks the router, prices, or knows a provider; a request becomes a chat, and an answer comes from one.
"""
