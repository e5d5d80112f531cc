"""The OpenAI-compatible format in its dialects, and a plain upstream that speaks it.

What Yandex adds to it is in `emulator/yandex`.
"""
