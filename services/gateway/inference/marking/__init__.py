"""What the books keep of a request beside its figures: the caller's tags, a digest of the prompt, what it asks for.

Never: the prompt itself, or anything from which it could be made again.
"""
