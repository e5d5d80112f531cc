"""GigaChat's assistants and threads: conversations that the provider keeps.

Owns their state, routes and shapes; never what a model answers, which is the chat's.
"""
