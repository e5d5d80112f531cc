"""The journal: append-only segments of frames, written with one plain write() a record.

A record is safe from the death of the process when `append` returns (the kernel has it), from a power cut after the
next `sync`. The space of a file is taken before it is written: of each open request the end is certain to fit, however
full the disk is. Segments are deleted in order, oldest first, so that a DISPATCHED never outlives its SETTLED; one that
could not be read whole is moved to the quarantine instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from pathlib import Path
from typing import Final

import structlog

from services.gateway.metering import metrics
from services.gateway.metering.journal.frames import frame
from services.gateway.metering.journal.place import BEGINNING, Marks, MarksFile, Place
from services.gateway.metering.journal.quarantine import Quarantine
from services.gateway.metering.journal.segment_files import RESERVED_BYTES, SegmentFiles
from services.gateway.metering.journal.segments import (
    DirectoryLock,
    Fault,
    Segment,
    remove_directory,
    segment_numbers,
)

log = structlog.get_logger()

# Another gateway that starts now may take our empty directory for a dead one, and remove it: make it again.
OPEN_ATTEMPTS: Final = 10
NO_SPACE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class JournalFull(Exception):
    """The record was not written: the disk is full or gone."""


class JournalLocked(Exception):
    """Another living process owns this boot's directory."""


class Journal:
    """The journal of this boot; one writer, one thread."""

    def __init__(self, directory: Path, lock: DirectoryLock, *, segment_bytes: int) -> None:
        self.directory = directory
        self.quarantine = Quarantine(directory.parent)
        self._lock = lock
        self._marks_file = MarksFile(directory)
        self._files = SegmentFiles(directory, segment_bytes)
        self._open_requests = 0
        self._ordinal = 0
        self._confirmed = BEGINNING
        self._synced = BEGINNING
        self._has_room = False
        self.missing = 0
        self._write_marks()
        self.check_room()

    @classmethod
    def open(cls, root: Path, boot_id: str, *, segment_bytes: int = 16 << 20) -> Journal:
        """Make this boot's directory and lock it; on a full disk the journal is there and not ready.

        Raises:
            JournalLocked: the boot id is in use.
            OSError: the directory cannot be used.
        """
        directory = root / boot_id
        for _ in range(OPEN_ATTEMPTS):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = DirectoryLock.take(directory)
            if lock is not None and not segment_numbers(directory):
                return cls(directory, lock, segment_bytes=segment_bytes)
        raise JournalLocked(str(directory))

    @property
    def is_ready(self) -> bool:
        """Tell whether a new request can be begun, and everything that was written could be read."""
        return self._has_room and not self.missing

    @property
    def has_room(self) -> bool:
        """Tell whether a new request can be begun."""
        return self._has_room

    @property
    def end(self) -> Place:
        """Return where the next frame begins."""
        current = self._files.current
        return BEGINNING if current is None else Place(current.number, current.end, self._ordinal)

    @property
    def oldest(self) -> int:
        """Return the number of the oldest segment that is still there."""
        return next(iter(self._files.segments), 1)

    @property
    def segments(self) -> int:
        """Return how many segments there are."""
        return len(self._files.segments)

    def segment(self, number: int) -> Segment:
        """Return a segment that is still there."""
        return self._files.segments[number]

    def segments_from(self, first: int, last: int) -> list[int]:
        """Return the numbers of the segments from one to another that are still there."""
        return [number for number in self._files.segments if first <= number <= last]

    def segment_after(self, number: int) -> int:
        """Return the number of the next segment."""
        return min(each for each in self._files.segments if each > number)

    def append(self, payload: bytes) -> int:
        """Write one record that belongs to no open request, or that one can do without; return its segment's number.

        Raises:
            JournalFull: it is not in the journal: there is no room but that for the ends of open requests.
        """
        return self._append(payload, reserved=self._open_requests)

    def begin_request(self, payload: bytes) -> int:
        """Write the beginning of a request and reserve room for its end; the segment stays until then.

        Raises:
            JournalFull: it is not in the journal.
        """
        number = self._append(payload, reserved=self._open_requests + 1)
        self._open_requests += 1
        self._files.segments[number].open_requests += 1
        self.check_room()
        return number

    def end_request(self, segment: int, payload: bytes) -> None:
        """Write the end of a request where room was reserved, and let go of its beginning.

        Raises:
            JournalFull: the disk broke its promise; the request has ended all the same.
        """
        self._open_requests -= 1
        self._files.segments[segment].open_requests -= 1
        self._append(payload, reserved=self._open_requests)

    def move_request(self, segment: int, payload: bytes) -> int:
        """Write the beginning of a request anew, and return its segment's number.

        Raises:
            JournalFull: it stays where it was.
        """
        number = self._append(payload, reserved=self._open_requests)
        self._files.segments[number].open_requests += 1
        self._files.segments[segment].open_requests -= 1
        return number

    def check_room(self) -> bool:
        """See whether a request as large as a real one could begin and end now, and take the room for it."""
        try:
            self._files.reserve(RESERVED_BYTES, self._open_requests + 1)
        except OSError as exc:
            self._refuse(exc)
        else:
            if not self._has_room:
                self._set_room(True)
        return self._has_room

    def acknowledge(self, place: Place) -> None:
        """Everything settled before `place` is stored elsewhere: delete the segments nobody needs, oldest first."""
        self._confirmed = place
        self._write_marks()
        for number in list(self._files.segments):
            segment = self._files.segments[number]
            if number >= place.segment or segment.open_requests or not self._let_go(segment):
                return
            del self._files.segments[number]

    def set_aside(self, number: int, fault: Fault) -> None:
        """Something in a segment could not be understood: it goes to the quarantine and is not deleted."""
        segment = self._files.segments[number]
        if fault not in segment.faults:
            segment.faults.append(fault)
            self.missing += fault.missing
            self._set_room(self._has_room)
            metrics.CORRUPT.inc()
            metrics.MISSING.inc(fault.missing)
            log.error("journal.damaged", segment=segment.path.name, offset=fault.start, reason=fault.reason)

    def return_to_place(self) -> list[int]:
        """Begin a new file, if need be a new directory, when ours were taken away; return the segments without name.

        What was written to them is still read from their descriptors.

        Raises:
            OSError: the directory cannot be made.
        """
        lost = [each for each in (*self._files.segments.values(), *self._files.spares) if not each.is_in_place()]
        if not lost and self._lock.is_in_place():
            return []
        self._report(lost)
        if not self._lock.is_in_place():
            self._move_in()
        self._files.spares = [spare for spare in self._files.spares if spare.is_in_place()]
        if self._files.current in lost:
            self._files.next_segment(self._ordinal)
        return [segment.number for segment in lost if segment.number in self._files.segments]

    async def sync(self) -> None:
        """Bring to the disk what was appended, without blocking the loop."""
        if self._synced == self.end or self._files.current is None:
            return
        self._write_marks()
        place, copy = self.end, os.dup(self._files.current.descriptor)
        try:
            await asyncio.to_thread(os.fdatasync, copy)
            self._synced = place
        finally:
            os.close(copy)

    def close(self, *, remove: bool) -> None:
        """Sync and close; `remove` when every record is acknowledged and no request is open."""
        self._confirmed = self.end if remove else self._confirmed
        self._write_marks()
        if self._files.current is not None:
            self._files.current.seal()
        for spare in self._files.spares:
            spare.discard()
        for segment in self._files.segments.values():
            if not (remove and self._let_go(segment)):
                segment.close()
        self._files.forget()
        self._marks_file.close()
        if remove and not segment_numbers(self.directory):
            remove_directory(self.directory)
        self._lock.free()

    def _append(self, payload: bytes, *, reserved: int) -> int:
        data = frame(payload, self._ordinal)
        size = len(data)
        try:
            self._files.reserve(size, reserved)
            segment = self._files.segment_for(size, self._ordinal)
            segment.write(data)
        except OSError as exc:
            self._refuse(exc)
            raise JournalFull(exc.strerror or "write failed") from exc
        self._ordinal += 1
        return segment.number

    def _let_go(self, segment: Segment) -> bool:
        if not segment.faults:
            segment.discard()
            return True
        try:
            self.quarantine.take(segment.path, segment.faults, segment.descriptor)
        except OSError as exc:
            log.error("journal.quarantine_failed", segment=segment.path.name, error=exc.strerror)
            return False
        segment.close()
        return True

    def _move_in(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock.take(self.directory)
        if lock is None:
            raise OSError(errno.EBUSY, "somebody else has locked it")
        self._lock.free()
        self._lock = lock
        self._marks_file.close()
        self._marks_file = MarksFile(self.directory)
        self._write_marks()

    @staticmethod
    def _report(lost: list[Segment]) -> None:
        new = [segment for segment in lost if not segment.is_displaced]
        for segment in new:
            segment.is_displaced = True
        if new:
            metrics.DISPLACED.inc(len(new))
            log.error("journal.files_taken_away", files=[str(segment.path) for segment in new])

    def _write_marks(self) -> None:
        with contextlib.suppress(OSError):
            self._marks_file.write(Marks(self._confirmed, self.end))

    def _refuse(self, error: OSError) -> None:
        if self._has_room:
            # The log may lie on the same full disk.
            with contextlib.suppress(OSError):
                log.error("journal.full", error=error.strerror, directory=str(self.directory))
        self._set_room(False)

    def _set_room(self, has_room: bool) -> None:
        self._has_room = has_room
        metrics.READY.set(int(self.is_ready))
