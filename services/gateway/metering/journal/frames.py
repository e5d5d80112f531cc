"""Frames of the journal: length, crc32, payload. Pure; a cut or damaged tail is told from a whole frame."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

HEADER: Final = struct.Struct("<II")
MAX_PAYLOAD: Final = 1 << 20


def frame(payload: bytes) -> bytes:
    """Return the payload as it stands in the file.

    Raises:
        ValueError: it is empty (a run of zero bytes would look like empty frames) or too long.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD:
        raise ValueError(f"a frame holds 1 to {MAX_PAYLOAD} bytes, not {len(payload)}")
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def frames(buffer: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (end offset, payload) of each whole frame from `start`; stop before the first that is cut or damaged."""
    at, size = start, len(buffer)
    while at + HEADER.size <= size:
        length, checksum = HEADER.unpack_from(buffer, at)
        end = at + HEADER.size + length
        if not 0 < length <= MAX_PAYLOAD or end > size:
            return
        payload = buffer[at + HEADER.size : end]
        if zlib.crc32(payload) != checksum:
            return
        yield end, payload
        at = end
