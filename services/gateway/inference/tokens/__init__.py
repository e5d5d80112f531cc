"""Arrays of tokens that clients send in place of text, with their table; and callers who ask how many tokens a text is.

It never counts tokens itself: the providers' tokenizers do.
"""
