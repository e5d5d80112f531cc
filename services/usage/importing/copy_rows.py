"""Rows of release 1.0 as COPY carries them: PostgreSQL's binary format, https://www.postgresql.org/docs/current/sql-copy.html.

Bytes are made here and nowhere checked: who makes a row has given each of its values a verdict.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

# The columns of a row, in order; all others have the values of a request of which nothing more is known.
COLUMNS: Final = (
    "id", "created_at", "tokens_input", "tokens_output", "cost",
    "user_id", "provider", "model", "requested_model", "metadata",
)  # fmt: skip
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MICRO: Final = 1_000_000
# A cost is three digits to the base of 10,000: roubles, and two of what is behind the point, of which 6 places count.
_NUMBERS: Final = struct.Struct(">hi16siqiiiiihhhhhhh").pack
_LENGTH: Final = struct.Struct(">i").pack
_encode: Final = msgspec.json.Encoder().encode


def text_field(text: str) -> bytes:
    """Return a text as a field."""
    content = text.encode()
    return _LENGTH(len(content)) + content


def tags_field(tags: Mapping[str, str]) -> bytes:
    """Return tags as a field: jsonb's first byte is its version."""
    content = b"\x01" + _encode(tags)
    return _LENGTH(len(content)) + content


NO_TAGS: Final = tags_field({})


def micros_of(moment: datetime) -> int:
    """Return the microseconds since 2000, by which PostgreSQL counts."""
    return (moment - _EPOCH) // _MICROSECOND


def copy_row(
    id_: bytes, micros: int, tokens_input: int, tokens_output: int, cost_micro_rub: int, texts: bytes
) -> bytes:
    """Return a row; `texts` are the fields of user, provider, both models and tags, behind one another."""
    roubles, micro = divmod(cost_micro_rub, _MICRO)
    cost = (3, 0, 0, 6, roubles, micro // 100, micro % 100 * 100)
    numbers = _NUMBERS(10, 16, id_, 8, micros, 4, tokens_input, 4, tokens_output, 14, *cost)
    return numbers + texts


def row_of(
    id_: uuid.UUID,
    created_at: datetime,
    *,
    user_id: str,
    provider: str,
    model: str,
    requested_model: str,
    tokens_input: int,
    tokens_output: int,
    cost_micro_rub: int,
    tags: Mapping[str, str],
) -> bytes:
    """Return the row of a request."""
    texts = b"".join(map(text_field, (user_id, provider, model, requested_model))) + tags_field(tags)
    return copy_row(id_.bytes, micros_of(created_at), tokens_input, tokens_output, cost_micro_rub, texts)
