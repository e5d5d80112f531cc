"""What is kept of answers for retries with the same idempotency key, and how it looks at rest.

Never: what an answer costs, or how it is made.
"""
