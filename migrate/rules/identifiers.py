"""Ids: of users and keys as they are wherever a caller could send them, of requests as UUIDs."""

from __future__ import annotations

import re
import uuid
from typing import Final

from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text, Verdict, utf8

MAX_ID_LENGTH: Final = 128
KEY: Final = "key"
# Of release 1.0's ids: the same bytes are the same UUID in every run.
NAMESPACE: Final = uuid.UUID("5f1b7c0e-6a52-5b6e-9d57-0d1f6b7c10a0")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BARE: Final = re.compile(r"[0-9a-f]{32}")


def mapped(kind: str, value: bytes) -> uuid.UUID:
    """Return the UUID that stands for the bytes of an id of a kind (`user`, `key`, `usage`)."""
    # uuid5 takes text only, and not all bytes are.
    return uuid.uuid5(NAMESPACE, f"{kind}:{value.hex()}")


def read_id(value: Stored, kind: str) -> Verdict[str]:
    """Return the id of a user or a key, which is text in 1.1 too; one that no caller could send is mapped."""
    match value:
        case None:
            return Refused("id_missing")
        case Text():
            text = utf8(value)
            if text is not None and _can_be_sent(text, kind):
                return Kept(text)
            return Repaired(str(mapped(kind, value)), "id_mapped")
        case int():
            return Repaired(str(value), "number_as_text")
        case bytes():
            return Repaired(str(mapped(kind, b"blob:" + value)), "id_mapped")
        case _:
            return Refused("id_not_text")


def id_of(value: Stored, kind: str) -> str | None:
    """Return the id in 1.1 of a user or a key; None: its row has none and cannot move."""
    verdict = read_id(value, kind)
    return None if isinstance(verdict, Refused) else verdict.value


def _can_be_sent(text: str, kind: str) -> bool:
    """Tell whether a caller can name it; keys are parts of addresses, which a slash divides however it is written."""
    is_part = kind != KEY or ("/" not in text and text not in (".", ".."))
    return 1 <= len(text) <= MAX_ID_LENGTH and text.isprintable() and is_part


def read_usage_id(value: Stored, created_ms: int) -> Verdict[uuid.UUID]:
    """Return the id of a request as a UUID.

    A UUIDv7 has a time within, by which 1.1 finds its row: one whose time is not the row's is mapped.
    """
    match value:
        case None:
            return Refused("id_missing")
        case bytes():  # Text too
            raw = value if isinstance(value, Text) else b"blob:" + value
        case int() | float():
            raw = repr(value).encode()
    text = utf8(value) if isinstance(value, Text) else None
    if text is None or not (_UUID.fullmatch(text.lower()) or _BARE.fullmatch(text.lower())):
        return Repaired(mapped("usage", raw), "id_mapped")
    found = uuid.UUID(text)
    if found.version == 7 and found.int >> 80 != created_ms:
        return Repaired(mapped("usage", raw), "id_mapped")
    return Kept(found) if str(found) == text else Repaired(found, "uuid_rewritten")
