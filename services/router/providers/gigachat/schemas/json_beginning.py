"""The first characters of a value's JSON text, without encoding all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


def beginning_of(value: Any, most: int) -> str:
    """Return the JSON text of a value, or what it begins with: `most` characters or a few more."""
    written = ""
    for piece in _pieces(value, most):
        written += piece
        if len(written) >= most:
            break
    return written


def _pieces(value: Any, most: int) -> Iterator[str]:
    if isinstance(value, dict):
        between = "{"
        for name, item in value.items():
            yield between + _written(name[:most]) + ":"
            yield from _pieces(item, most)
            between = ","
        yield "}" if value else "{}"
    elif isinstance(value, list):
        between = "["
        for item in value:
            yield between
            yield from _pieces(item, most)
            between = ","
        yield "]" if value else "[]"
    else:
        # A text that is cut is longer than all that is wanted: its end is never read.
        yield _written(value[:most] if isinstance(value, str) else value)


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode()
