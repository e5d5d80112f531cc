"""Reads journals: the living one up to where it is written, a dead one up to its torn tail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from services.gateway.metering import metrics
from services.gateway.metering.journal.frames import HEADER, MAX_PAYLOAD, frames
from services.gateway.metering.journal.journal import Place
from services.gateway.metering.journal.segments import segment_numbers, segment_path

log = structlog.get_logger()

CHUNK: Final = 256 << 10


class JournalReader:
    """A place in a journal that moves forward; keeps no more than one chunk in memory."""

    def __init__(self, directory: Path, place: Place) -> None:
        self._directory = directory
        self.place = place

    def read(self, until: Place) -> Iterator[tuple[Place, bytes]]:
        """Yield whole frames after `place` and before `until`; the caller sets `place` when it is done with them."""
        at = self.place
        while at < until:
            limit = until.offset if at.segment == until.segment else None
            chunk = _read_chunk(segment_path(self._directory, at.segment), at.offset, limit)
            end = 0
            for end, payload in frames(chunk):
                yield Place(at.segment, at.offset + end), payload
            if end:
                at = Place(at.segment, at.offset + end)
            elif at.segment < until.segment:
                at = Place(at.segment + 1, 0)
            else:
                return


def _read_chunk(path: Path, offset: int, limit: int | None) -> bytes:
    """Return bytes that hold at least the next frame whole, if the file has it whole."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        size = CHUNK if limit is None else min(CHUNK, limit - offset)
        chunk = os.pread(descriptor, size, offset)
        if len(chunk) >= HEADER.size:
            length = min(HEADER.unpack_from(chunk)[0], MAX_PAYLOAD) + HEADER.size
            if length > len(chunk):
                chunk = os.pread(descriptor, length, offset)
        return chunk
    finally:
        os.close(descriptor)


def read_dead(directory: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (segment number, payload) of every whole frame of a dead journal, in order.

    A torn tail is normal for the last segment and cut silently. Damage elsewhere is counted and logged; what follows it
    in the same segment is unreadable, the next segments are not.
    """
    numbers = segment_numbers(directory)
    for number in numbers:
        end = 0
        for offset, payload in read_segment(directory, number):
            end = offset
            yield number, payload
        path = segment_path(directory, number)
        lost = path.stat().st_size - end
        if lost and number != numbers[-1]:
            metrics.CORRUPT.inc()
            log.error("journal.damaged", segment=path.name, offset=end, unreadable_bytes=lost)


def read_segment(directory: Path, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield (end offset, payload) of every whole frame of one segment."""
    size = segment_path(directory, number).stat().st_size
    for place, payload in JournalReader(directory, Place(number, 0)).read(Place(number, size)):
        yield place.offset, payload
