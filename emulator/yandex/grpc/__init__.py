"""Yandex over gRPC: each method is a REST route in another coat, as it is at the provider.

Owns the list of methods, the translation of messages, and the listener; never what is answered.
"""
