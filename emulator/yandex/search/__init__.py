"""Yandex's search: of pages, of pictures, with an answer made of them, and of what people ask.

Owns a toy web and the shapes of its results; never a word about the real one.
"""
