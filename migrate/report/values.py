"""A stored value as JSON, with its class: what text cannot hold is told in hexadecimal digits."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Any

from migrate.rules.verdict import Stored, Text, utf8


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


def as_new(value: object) -> Any:
    """Return a value of the target."""
    match value:
        case datetime():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case _:
            return value
