"""A file stored at a provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeptFile:
    """Metadata of the file.

    Attributes:
        name: empty when only the content was asked for, as `created_at` is None then.
        mime: of the content; empty without it.
        content: empty when it was not asked for.
    """

    name: str
    mime: str
    size_bytes: int
    created_at: datetime | None
    content: bytes = b""
