"""Messages of Yandex's datasets, tuning and batches.

Owns the `.proto` files and the code that is made of them; never behaviour.
"""
