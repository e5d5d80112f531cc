"""Ids of requests: UUIDv7, so that an id also says when, and picks the partition of its usage row."""

from __future__ import annotations

import os
import time
from typing import Final
from uuid import UUID

# What the ids of answers begin with, before the digits of the request's.
ANSWER_PREFIXES: Final = ("chatcmpl-", "cmpl-", "msg_")


def new_request_id() -> str:
    """Return a fresh UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 74 bits of chance."""
    millis = time.time_ns() // 1_000_000
    value = millis << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_request_id(text: str) -> str | None:
    """Return the request id that a client means: as we sent it, or the id of the answer: `chatcmpl-…`, `msg_…`."""
    prefix = next((prefix for prefix in ANSWER_PREFIXES if text.startswith(prefix)), "")
    try:
        return str(UUID(text.removeprefix(prefix)))
    except ValueError:
        return None
