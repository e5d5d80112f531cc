"""Keyset pagination with opaque page tokens."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from servicekit.errors import invalid_parameter
from services.auth.shared.domain.identifier import MAX_ID_LENGTH

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 100
MAX_TOKEN_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last item of a page; the next page begins after it."""

    created_at: datetime
    id: str


def to_token(cursor: Cursor | None) -> str:
    """Return the cursor as text for a URL; empty on the last page."""
    if cursor is None:
        return ""
    raw = f"{cursor.created_at.astimezone(UTC).isoformat()}|{cursor.id}"
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def from_token(token: str) -> Cursor | None:
    """Return the cursor of a token; None for the first page.

    Raises:
        InvalidRequest: we did not make this token.
    """
    if not token:
        return None
    try:
        if len(token) > MAX_TOKEN_LENGTH:
            raise ValueError("too long")
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        timestamp, _, id_ = raw.partition("|")
        created_at = datetime.fromisoformat(timestamp)
        if created_at.tzinfo is None or not id_.isprintable() or not 1 <= len(id_) <= MAX_ID_LENGTH:
            raise ValueError("not a cursor")
        # There are moments of other zones that UTC's calendar does not reach.
        return Cursor(created_at.astimezone(UTC), id_)
    except (ValueError, OverflowError, binascii.Error) as exc:
        raise invalid_parameter("page_token", "This page token is not one we gave.") from exc


def page_size(asked: int) -> int:
    """Return how many items a page has; 0 means we choose.

    Raises:
        InvalidRequest: negative, or more than we give.
    """
    if not 0 <= asked <= MAX_PAGE:
        raise invalid_parameter("page_size", f"The page size must be 1 to {MAX_PAGE}.")
    return asked or DEFAULT_PAGE
