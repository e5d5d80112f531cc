"""YandexGPT's dialects: requests out, answers and errors in, IAM tokens.

Never: another vendor's words, retries over models, prices.
"""
