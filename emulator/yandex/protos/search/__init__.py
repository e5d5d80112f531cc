"""Messages of Yandex's search API.

Owns the `.proto` files and the code that is made of them; never behaviour.
"""
