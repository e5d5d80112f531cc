"""A stored value as JSON, with its class: what text cannot hold is told in hexadecimal digits."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from migrate.rules.verdict import Stored, Text, utf8

# In place of a secret: the class, and nothing else.
WITHHELD: Final[Mapping[str, Any]] = {"class": "withheld"}


def as_stored(value: Stored) -> dict[str, Any]:
    """Return a value of the source: its class, and the value itself or its bytes."""
    match value:
        case None:
            return {"class": "null"}
        case int():
            return {"class": "integer", "value": value}
        case float():
            return {"class": "real", "value": value if math.isfinite(value) else repr(value)}
        case Text():
            text = utf8(value)
            if text is None or "\0" in text:
                return {"class": "text", "hex": value.hex()}
            return {"class": "text", "value": text}
        case _:
            return {"class": "blob", "hex": value.hex()}


def stored_of(shown: Any) -> Stored:
    """Return the value that `as_stored` shows, or that a person wrote in JSON's own types.

    Raises:
        ValueError: it is none; the message says what it may be.
    """
    match shown:
        case None | {"class": "null"}:
            return None
        case bool():
            pass
        case int() | float():
            return shown
        case str():
            return Text(shown.encode())
        case {"class": "integer", "value": int(value)} if not isinstance(value, bool):
            return value
        case {"class": "real", "value": int() | float() | str() as value} if not isinstance(value, bool):
            return float(value)
        case {"class": "text", "value": str(value)}:
            return Text(value.encode())
        case {"class": "text", "hex": str(digits)}:
            return Text(bytes.fromhex(digits))
        case {"class": "blob", "hex": str(digits)}:
            return bytes.fromhex(digits)
    raise ValueError("must be a string, a number, null, or a class with its value or hex, as quarantine.jsonl has them")


def as_new(value: object) -> Any:
    """Return a value of the target."""
    match value:
        case datetime():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case bytes():
            text = utf8(value) if isinstance(value, Text) else None
            return value.hex() if text is None else text
        case _:
            return value
