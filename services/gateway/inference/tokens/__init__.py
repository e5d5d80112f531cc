"""Arrays of tokens, as some clients send them in place of text, and the one table by which they are read.

It never counts tokens: no model here has this tokenizer.
"""
