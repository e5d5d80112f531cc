"""Yandex's speech, both ways, and the text in pictures.

Owns toy audio and toy pages, their routes and dialogues; what is spoken here is recognised here.
"""
