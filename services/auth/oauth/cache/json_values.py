"""Values encoded as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def to_json(value: Mapping[str, Any]) -> str:
    """Return the JSON of a document."""
    return json.dumps(value, separators=(",", ":"))


def timestamp_text(timestamp: datetime | None) -> str | None:
    """Return a time as text."""
    return None if timestamp is None else timestamp.isoformat()


def timestamp_from_text(text: str | None) -> datetime | None:
    """Return the time of a text."""
    return None if text is None else datetime.fromisoformat(text)
