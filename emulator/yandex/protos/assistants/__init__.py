"""Messages of Yandex's files and search indexes.

Owns the `.proto` files and the code that is made of them; never behaviour.
"""
