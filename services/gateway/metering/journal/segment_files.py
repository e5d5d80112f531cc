"""The segments of a living journal and the spare files behind them: room is taken before it is promised."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.gateway.metering.journal.segments import Segment

# What the largest record of a request's end takes; a test compares it with the largest row that usage stores.
RESERVED_BYTES: Final = 16 << 10


class SegmentFiles:
    """What is written to now, what is not confirmed yet, and what is reserved."""

    def __init__(self, directory: Path, segment_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._ends_in_one = max(1, segment_bytes // RESERVED_BYTES)
        self.segments: dict[int, Segment] = {}
        self.spares: list[Segment] = []
        self.current: Segment | None = None

    def reserve(self, size: int, requests: int) -> None:
        """Have room for a frame of that size, and behind it for the ends of so many requests.

        Raises:
            OSError: there is none.
        """
        ends = requests + -(-size // RESERVED_BYTES)
        while self._free() < ends:
            number = max([0, *self.segments, *[spare.number for spare in self.spares]]) + 1
            self.spares.append(Segment.reserve(self._directory, number, max(self._segment_bytes, RESERVED_BYTES)))

    def segment_for(self, size: int, ordinal: int) -> Segment:
        """Return the segment in which a frame of that size has room.

        Raises:
            OSError: there is none.
        """
        current = self.current
        if current is not None and (current.end + size <= self._segment_bytes or current.end == 0):
            return current
        return self.next_segment(ordinal)

    def next_segment(self, ordinal: int) -> Segment:
        """Begin a new segment, whose first frame has this ordinal, and seal the one before.

        Raises:
            OSError: there is no room for one.
        """
        if not self.spares:
            self.reserve(0, self._free() + 1)
        segment = self.spares[0]
        segment.begin(ordinal)
        del self.spares[0]
        before, self.current = self.current, segment
        self.segments[segment.number] = segment
        if before is not None:
            before.seal()
        return segment

    def forget(self) -> None:
        """Hold nothing any more."""
        self.segments, self.spares, self.current = {}, [], None

    def _free(self) -> int:
        """Return how many ends of requests are certain to fit."""
        here = max(0, self._segment_bytes - self.current.end) // RESERVED_BYTES if self.current is not None else 0
        return here + self._ends_in_one * len(self.spares)
