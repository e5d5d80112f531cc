"""Frames of the journal: magic, ordinal, length, crc32, payload. Pure.

The ordinal counts the frames of a boot from 0, over all its segments: behind a damaged place, a cut or a missing file
the reader knows how many frames it has not seen. The magic starts with a byte that UTF-8 never contains, so no text
that a caller names can look like a frame; it is where reading goes on behind damage.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

MAGIC: Final = b"\xf5J"
HEADER: Final = struct.Struct("<2sQII")
MAX_PAYLOAD: Final = 1 << 20
CHUNK: Final = 256 << 10

Source = Callable[[int, int], bytes]
"""Returns up to so many bytes (first argument) of a file from an offset (second)."""


class Frame(Struct, frozen=True):
    """A whole and undamaged frame: the bytes from `start` to `end` of its segment."""

    start: int
    end: int
    ordinal: int
    payload: bytes


class Unreadable(Struct, frozen=True):
    """The bytes from `start` to `end` are no frame."""

    start: int
    end: int


def frame(payload: bytes, ordinal: int) -> bytes:
    """Return the payload as it stands in the file.

    Raises:
        ValueError: it is empty or too long.
    """
    size = len(payload)
    if not 0 < size <= MAX_PAYLOAD:
        raise ValueError(f"a frame holds 1 to {MAX_PAYLOAD} bytes, not {size}")
    return HEADER.pack(MAGIC, ordinal, size, _checksum(ordinal, payload)) + payload


def frames(buffer: bytes, start: int = 0) -> Iterator[Frame]:
    """Yield each whole frame from `start`; stop before the first that is cut or damaged."""
    at = start
    while (found := _frame_at(buffer, at)) is not None:
        yield found
        at = found.end


def walk(read: Source, start: int, end: int) -> Iterator[Frame | Unreadable]:
    """Yield everything between two offsets, in order and without a gap; keeps one chunk in memory where all is well."""
    at = start
    while at < end:
        chunk = _chunk(read, at, end)
        came = 0
        for each in frames(chunk):
            came = each.end
            yield Frame(at + each.start, at + each.end, each.ordinal, each.payload)
        if not came:
            damage = _unreadable(read, at, end)
            yield damage
            came = damage.end - at
        at += came


def _unreadable(read: Source, at: int, end: int) -> Unreadable:
    rest = read(end - at, at)
    behind = 1
    while (behind := rest.find(MAGIC, behind)) >= 0:
        if _frame_at(rest, behind) is not None:
            return Unreadable(at, at + behind)
        behind += 1
    return Unreadable(at, end)


def _chunk(read: Source, at: int, end: int) -> bytes:
    """Return bytes that hold at least the next frame whole, if it is there whole."""
    chunk = read(min(CHUNK, end - at), at)
    if len(chunk) >= HEADER.size:
        length = min(HEADER.unpack_from(chunk)[2], MAX_PAYLOAD) + HEADER.size
        if len(chunk) < length:
            chunk = read(min(length, end - at), at)
    return chunk


def _frame_at(buffer: bytes, at: int) -> Frame | None:
    if at + HEADER.size > len(buffer):
        return None
    magic, ordinal, length, checksum = HEADER.unpack_from(buffer, at)
    end = at + HEADER.size + length
    if magic != MAGIC or not 0 < length <= MAX_PAYLOAD or end > len(buffer):
        return None
    payload = buffer[at + HEADER.size : end]
    return Frame(at, end, ordinal, payload) if _checksum(ordinal, payload) == checksum else None


def _checksum(ordinal: int, payload: bytes) -> int:
    # The length is covered too: with another one, other bytes are summed.
    return zlib.crc32(payload, ordinal & 0xFFFFFFFF ^ ordinal >> 32)
