"""Messages of Yandex's speech and text recognition.

Owns the `.proto` files and the code that is made of them; never behaviour.
"""
