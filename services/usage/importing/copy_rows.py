"""Rows of release 1.0 as COPY carries them: PostgreSQL's binary format, https://www.postgresql.org/docs/current/sql-copy.html.

Bytes are made here and nowhere checked: who makes a row has given each of its values a verdict.
"""

from __future__ import annotations

import json
import struct
from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import md5
from typing import Final

# The columns of a row, in order; all others have the values of a request of which nothing more is known.
COLUMNS: Final = (
    "id", "created_at", "tokens_input", "tokens_output", "cost",
    "user_id", "provider", "model", "requested_model", "metadata",
)  # fmt: skip
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MICRO: Final = 1_000_000
_A_DAY: Final = 86_400 * _MICRO
# A cost is three digits to the base of 10,000: roubles, and two of what is behind the point, of which 6 places count.
_NUMBERS: Final = struct.Struct(">6s16siqiiii12shhh").pack
# Before an id: how many columns, its length; before the digits of a cost: its length, how many, weight, sign, places.
_BEGIN: Final = struct.pack(">hi", 10, 16)
_COST: Final = struct.pack(">ihhhh", 14, 3, 0, 0, 6)
_LENGTH: Final = struct.Struct(">i").pack
_SUMMED: Final = struct.Struct(">16sqiiq").pack


def text_field(text: str) -> bytes:
    """Return a text as a field."""
    content = text.encode()
    return _LENGTH(len(content)) + content


def tags_field(tags: Mapping[str, str]) -> bytes:
    """Return tags as a field, spelt and ordered as PostgreSQL shows jsonb, whose first byte is its version."""
    ordered = sorted(tags.items(), key=lambda tag: (len(tag[0].encode()), tag[0].encode()))
    content = b"\x01" + json.dumps(dict(ordered), ensure_ascii=False).encode()
    return _LENGTH(len(content)) + content


NO_TAGS: Final = tags_field({})


def micros_of(moment: datetime) -> int:
    """Return the microseconds since 2000, by which PostgreSQL counts."""
    return (moment - EPOCH) // _MICROSECOND


def month_at(micros: int) -> tuple[date, int, int]:
    """Return the first day of the UTC month of a moment, its first microsecond since 2000, and that of the next."""
    return _month_of_day(micros // _A_DAY)


@lru_cache(maxsize=8_192)
def _month_of_day(day: int) -> tuple[date, int, int]:
    month = (EPOCH.date() + timedelta(days=day)).replace(day=1)
    begin = (month - EPOCH.date()).days * _A_DAY
    return month, begin, begin + monthrange(month.year, month.month)[1] * _A_DAY


def copy_row(
    id_: bytes, micros: int, tokens_input: int, tokens_output: int, cost_micro_rub: int, texts: bytes
) -> bytes:
    """Return a row; `texts` are the fields of user, provider, both models and tags, behind one another."""
    return copy_rows((id_,), (micros,), (tokens_input,), (tokens_output,), (cost_micro_rub,), (texts,))


def copy_rows(
    ids: Sequence[bytes],
    micros: Sequence[int],
    tokens_input: Sequence[int],
    tokens_output: Sequence[int],
    costs_micro_rub: Sequence[int],
    texts: Sequence[bytes],
) -> bytes:
    """Return rows behind one another, of what `copy_row` takes of each."""
    columns = zip(ids, micros, tokens_input, tokens_output, costs_micro_rub, texts, strict=True)
    rows = [
        _NUMBERS(_BEGIN, id_, 8, at, 4, given, 4, taken, _COST, cost // _MICRO, cost // 100 % 10_000, cost % 100 * 100)
        + text
        for id_, at, given, taken, cost, text in columns
    ]
    return b"".join(rows)


def texts_of(user_id: str, provider: str, model: str, requested_model: str, tags: Mapping[str, str]) -> bytes:
    """Return the fields behind the numbers of a row."""
    return b"".join(map(text_field, (user_id, provider, model, requested_model))) + tags_field(tags)


def checksum(id_: bytes, micros: int, tokens_input: int, tokens_output: int, cost_micro_rub: int, texts: bytes) -> int:
    """Return what tells a row from one with any other value, as `CHECKSUM` has PostgreSQL count it."""
    numbers = _SUMMED(id_, micros, tokens_input, tokens_output, cost_micro_rub)
    return int.from_bytes(md5(numbers + texts, usedforsecurity=False).digest()[:8], "big", signed=True)


# Of a stored row, of the same bytes; a text is sent with its length before it.
_TEXT: Final = "int4send(octet_length({0})) || textsend({0})"
_TAGS: Final = "int4send(octet_length(metadata::text) + 1) || '\\x01' || textsend(metadata::text)"
CHECKSUM: Final = "('x' || left(md5({}), 16))::bit(64)::bigint".format(
    " || ".join(
        [
            "uuid_send(id) || timestamptz_send(created_at) || int4send(tokens_input) || int4send(tokens_output)",
            "int8send((cost * 1000000)::bigint)",
            *[_TEXT.format(name) for name in ("user_id", "provider", "model", "requested_model")],
            _TAGS,
        ]
    )
)
