"""GigaChat on the wire."""
