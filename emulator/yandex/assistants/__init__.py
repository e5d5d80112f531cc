"""Yandex's files and search indexes, which its assistants read.

Owns their state and routes; never the bytes, which are in the storage.
"""
