"""Where a page of the log ended, as a word that a caller hands back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.gateway.analytics.grammar import refusal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# The id is 16 bytes, the moment in microseconds before it 8.
_BYTES: Final = 24


def encode_cursor(created_at: datetime, request_id: str) -> str:
    """Return the word for a line."""
    microseconds = (created_at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(microseconds.to_bytes(8) + UUID(request_id).bytes).decode()


def decode_cursor(word: str) -> tuple[datetime, str] | None:
    """Return the line; None of an empty word.

    Raises:
        InvalidRequest: no page gave it.
    """
    if not word:
        return None
    try:
        decoded = urlsafe_b64decode(word.encode())
        if len(decoded) != _BYTES:
            raise ValueError("length")
        return _EPOCH + int.from_bytes(decoded[:8]) * _MICROSECOND, str(UUID(bytes=decoded[8:]))
    except (Error, ValueError, OverflowError) as exc:
        raise refusal("cursor", "must be `next_cursor` of an earlier page") from exc
