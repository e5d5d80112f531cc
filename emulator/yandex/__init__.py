"""Yandex Cloud AI Studio on the wire."""
