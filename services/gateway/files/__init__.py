"""Files that models made: what is known of them, their content and their end, for whom they were made only.

It never keeps a file, nor a list of them: they lie at the provider.
"""
