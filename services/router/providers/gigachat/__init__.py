"""GigaChat's API v1: requests and files out, answers and errors in, OAuth tokens.

Never: another vendor's words, retries over models, prices.
"""
