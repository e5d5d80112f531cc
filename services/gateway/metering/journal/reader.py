"""Reads journals: the living one up to where it is written, a dead one up to its torn tail.

Both go on behind damage, and both know by the ordinals how many frames they have not seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from services.gateway.metering import metrics
from services.gateway.metering.journal.frames import HEADER, MAGIC, MAX_PAYLOAD, Frame, Unreadable, walk
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.place import BEGINNING, Marks, MarksFile, Place, read_marks
from services.gateway.metering.journal.segments import Fault, segment_numbers, segment_path

log = structlog.get_logger()

DAMAGED: Final = "damaged"
MISSING: Final = "frames before it are missing"


class JournalReader:
    """A place in the living journal that moves forward; what cannot be read is reported to the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.place = BEGINNING

    def read(self, until: Place) -> Iterator[tuple[Place, bytes]]:
        """Yield whole frames after `place` and before `until`; the caller sets `place` when it is done with them."""
        at = self.place
        while at < until:
            segment = self._journal.segment(at.segment)
            is_last = at.segment == until.segment
            end = until.offset if is_last else segment.end
            for found in walk(segment.read, at.offset, end):
                if isinstance(found, Frame):
                    self._expect(at, found.start, found.ordinal)
                    at = Place(at.segment, found.end, found.ordinal + 1)
                    yield at, found.payload
            ordinal = until.ordinal if is_last else segment.next_ordinal
            self._expect(at, end, ordinal)
            at = until if is_last else Place(self._journal.segment_after(at.segment), 0, ordinal)

    def _expect(self, at: Place, found_at: int, ordinal: int) -> None:
        if ordinal != at.ordinal:
            self._journal.set_aside(at.segment, Fault(at.offset, found_at, ordinal - at.ordinal, DAMAGED))


def readable(journal: Journal) -> Iterator[bytes]:
    """Yield every record of the living journal that is there and can be read, in order."""
    for number in journal.segments_from(journal.oldest, journal.end.segment):
        segment = journal.segment(number)
        for found in walk(segment.read, 0, segment.end):
            if isinstance(found, Frame):
                yield found.payload


class DeadJournal:
    """The journal of a boot that is over.

    Attributes:
        confirmed: everything settled before it is stored elsewhere.
        faults: what could not be understood, by segment; complete when `read` is at its end.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.numbers = segment_numbers(directory)
        self.faults: dict[int, list[Fault]] = {}
        marks = read_marks(directory)
        self.confirmed = marks.confirmed if marks else BEGINNING
        self._written = marks.written if marks else BEGINNING
        # Of each segment: the ordinal of its first frame.
        self._begins: dict[int, int] = {}
        # The first frame that must not be missing; without marks nobody knows.
        self._at = marks.confirmed if marks else None

    def read(self) -> Iterator[tuple[Place, bytes]]:
        """Yield every whole frame of all segments, in order, and look for what is missing."""
        for number in self.numbers:
            for found in self._walk(number):
                if isinstance(found, Frame):
                    self._begins.setdefault(number, found.ordinal)
                    self._see(number, found)
                    yield Place(number, found.end, found.ordinal + 1), found.payload
        self._see_end()

    def read_segment(self, number: int) -> Iterator[tuple[Place, bytes]]:
        """Yield every whole frame of one segment."""
        for found in self._walk(number):
            if isinstance(found, Frame):
                yield Place(number, found.end, found.ordinal + 1), found.payload

    def confirm(self, number: int) -> None:
        """A segment is taken over: whoever comes after a crash must not miss it when it is gone.

        Raises:
            OSError: the mark cannot be written; keep the segment.
        """
        behind = [each for each in self._begins if each > number]
        ordinal = (
            self._begins[min(behind)] if behind else max(self._written.ordinal, self._at.ordinal if self._at else 0)
        )
        self.confirmed = max(self.confirmed, Place(number + 1, 0, ordinal))
        marks = MarksFile(self.directory)
        try:
            marks.write(Marks(self.confirmed, max(self._written, self.confirmed)))
        finally:
            marks.close()

    def set_aside(self, number: int, fault: Fault) -> None:
        """Something in a segment could not be understood: the segment is not to be deleted."""
        known = self.faults.setdefault(number, [])
        if fault not in known:
            known.append(fault)
            metrics.CORRUPT.inc()
            metrics.MISSING.inc(fault.missing)
            log.error("journal.damaged", segment=str(segment_path(self.directory, number)), fault=str(fault))

    def _walk(self, number: int) -> Iterator[Frame | Unreadable]:
        descriptor = os.open(segment_path(self.directory, number), os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            yield from walk(lambda length, offset: os.pread(descriptor, length, offset), 0, size)
        finally:
            os.close(descriptor)

    def _see(self, number: int, found: Frame) -> None:
        at = self._at
        if at is not None:
            is_hole = at.segment == number and at.ordinal <= found.ordinal and at.offset < found.start
            missing = found.ordinal - at.ordinal
            if missing > 0 or is_hole:
                self._miss(at, number, found.start, missing)
        elif found.start:
            self._miss(Place(number, 0), number, found.start, 1)
        self._at = Place(number, found.end, found.ordinal + 1)

    def _miss(self, at: Place, found_in: int, found_at: int, missing: int) -> None:
        """Blame the segment in which reading ended, if it is there still."""
        if at.segment == found_in:
            self.set_aside(found_in, Fault(at.offset, found_at, missing, DAMAGED))
        elif at.segment in self.numbers:
            size = segment_path(self.directory, at.segment).stat().st_size
            self.set_aside(at.segment, Fault(at.offset, size, missing, DAMAGED))
        else:
            self.set_aside(found_in, Fault(0, found_at, missing, MISSING))

    def _see_end(self) -> None:
        if not self.numbers:
            return
        last = self.numbers[-1]
        at = self._at if self._at is not None else Place(last, 0)
        data = segment_path(self.directory, last).read_bytes()
        start = at.offset if at.segment == last else 0
        missing = max(0, self._written.ordinal - at.ordinal)
        if missing or not _is_torn(data[start:]):
            self._miss(at, last, len(data), max(1, missing))


def _is_torn(tail: bytes) -> bool:
    """Tell whether a file ends as it does when its writer dies: with nothing, or with a frame that is cut short."""
    said = tail.rstrip(b"\0")
    if len(said) < HEADER.size:
        return said[: len(MAGIC)] == MAGIC[: len(said)]
    magic, _, length, _ = HEADER.unpack_from(said)
    return bool(magic == MAGIC and length <= MAX_PAYLOAD and len(said) < HEADER.size + length)
