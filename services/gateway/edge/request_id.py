"""Ids of requests: UUIDv7, so that an id also says when, and picks the partition of its usage row."""

from __future__ import annotations

import os
import time
from typing import Final
from uuid import UUID

# What the ids of answers begin with, before the digits of the request's.
ANSWER_PREFIXES: Final = ("chatcmpl-", "cmpl-", "msg_", "resp_")

_DIGITS: Final = 32


def new_request_id() -> str:
    """Return a fresh UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 74 bits of chance."""
    millis = time.time_ns() // 1_000_000
    value = millis << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_request_id(text: str) -> str | None:
    """Return the request id that a client means: as we sent it, or as the id of an answer has it (`chatcmpl-…`)."""
    prefix = next((prefix for prefix in ANSWER_PREFIXES if text.startswith(prefix)), "")
    try:
        # What follows in the id of a response is a secret of its own.
        return str(UUID(text.removeprefix(prefix)[: _DIGITS if prefix else None]))
    except ValueError:
        return None
