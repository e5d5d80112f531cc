"""The journal: append-only segments of frames, written with one plain write() a record.

A record is safe from the death of the process when `append` returns (the kernel has it), from a power cut after the
next `sync`. Segments are deleted in order, oldest first, so that a DISPATCHED never outlives its SETTLED.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.gateway.metering import metrics
from services.gateway.metering.journal.frames import frame
from services.gateway.metering.journal.segments import DirectoryLock, remove_directory, segment_numbers, segment_path

log = structlog.get_logger()

# Another gateway that starts now may take our empty directory for a dead one, and remove it: make it again.
OPEN_ATTEMPTS = 10


class JournalFull(Exception):
    """The record was not written: the disk is full or gone."""


class JournalLocked(Exception):
    """Another living process owns this boot's directory."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a frame ends: segment number and offset."""

    segment: int
    offset: int


class Journal:
    """The journal of this boot; one writer, one thread."""

    def __init__(self, directory: Path, lock: DirectoryLock, *, segment_bytes: int) -> None:
        self.directory = directory
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._number = 0
        self._end = 0
        self._descriptor = -1
        self._oldest = 1
        self._open_requests: dict[int, int] = {}
        self._synced = Place(0, 0)
        self.is_ready = True
        self._next_segment()

    @classmethod
    def open(cls, root: Path, boot_id: str, *, segment_bytes: int = 16 << 20) -> Journal:
        """Make this boot's directory and lock it.

        Raises:
            JournalLocked: the boot id is in use.
            OSError: the directory cannot be made.
        """
        directory = root / boot_id
        for _ in range(OPEN_ATTEMPTS):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = DirectoryLock.take(directory)
            if lock is not None and not segment_numbers(directory):
                return cls(directory, lock, segment_bytes=segment_bytes)
        raise JournalLocked(str(directory))

    @property
    def end(self) -> Place:
        """Return where the next frame begins."""
        return Place(self._number, self._end)

    @property
    def oldest(self) -> int:
        """Return the number of the oldest segment that is still there."""
        return self._oldest

    @property
    def segments(self) -> int:
        """Return how many segments there are."""
        return self._number - self._oldest + 1

    def append(self, payload: bytes) -> int:
        """Write one record and return its segment's number.

        Raises:
            JournalFull: it is not in the journal.
        """
        data = frame(payload)
        try:
            if self._end + len(data) > self._segment_bytes and self._end > 0:
                self._next_segment()
            self._write(data)
        except OSError as exc:
            was_ready = self.is_ready
            self._set_ready(False)
            if was_ready:
                # The log may lie on the same full disk.
                with contextlib.suppress(OSError):
                    log.error("journal.full", error=exc.strerror, directory=str(self.directory))
            raise JournalFull(exc.strerror or "write failed") from exc
        self._end += len(data)
        if not self.is_ready:
            self._set_ready(True)
        return self._number

    def begin_request(self, segment: int) -> None:
        """Keep a segment: a request dispatched in it has not ended."""
        self._open_requests[segment] = self._open_requests.get(segment, 0) + 1

    def end_request(self, segment: int) -> None:
        """Let go what `begin_request` kept."""
        left = self._open_requests[segment] - 1
        if left:
            self._open_requests[segment] = left
        else:
            del self._open_requests[segment]

    def acknowledge(self, place: Place) -> None:
        """Everything settled before `place` is stored elsewhere: delete the segments nobody needs, oldest first."""
        while self._oldest < place.segment and self._oldest not in self._open_requests:
            segment_path(self.directory, self._oldest).unlink(missing_ok=True)
            self._oldest += 1

    async def sync(self) -> None:
        """Bring to the disk what was appended, without blocking the loop."""
        if self._synced == self.end or self._descriptor < 0:
            return
        place, copy = self.end, os.dup(self._descriptor)
        try:
            await asyncio.to_thread(os.fdatasync, copy)
            self._synced = place
        finally:
            os.close(copy)

    def close(self, *, remove: bool) -> None:
        """Sync and close; `remove` when every record is acknowledged and no request is open."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        if remove:
            for number in segment_numbers(self.directory):
                segment_path(self.directory, number).unlink()
            remove_directory(self.directory)
        self._lock.free()

    def _write(self, data: bytes) -> None:
        written = -1
        try:
            written = os.write(self._descriptor, data)
            if written != len(data):
                raise OSError(28, "no space left on device")
        except OSError:
            # A torn frame in the middle would hide everything after it.
            os.ftruncate(self._descriptor, self._end)
            raise

    def _next_segment(self) -> None:
        path = segment_path(self.directory, self._number + 1)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)
            os.close(self._descriptor)
        self._descriptor, self._number, self._end = descriptor, self._number + 1, 0

    def _set_ready(self, ready: bool) -> None:
        self.is_ready = ready
        metrics.READY.set(int(ready))
