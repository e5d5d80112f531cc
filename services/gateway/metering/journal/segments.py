"""The files of one journal: a directory for each boot of a gateway, locked while it lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from services.gateway.metering.journal import descriptors

log = structlog.get_logger()

SUFFIX: Final = ".seg"
SPARE_SUFFIX: Final = ".spare"
LOCK: Final = "lock"
MARKS: Final = "marks"
DEAD_LETTERS: Final = "dead-letters.jsonl"


@dataclass(frozen=True, slots=True)
class Fault:
    """What of a segment could not be understood.

    Attributes:
        start, end: its bytes.
        missing: how many frames that were written are not readable there.
        reason: in words.
    """

    start: int
    end: int
    missing: int
    reason: str


class Segment:
    """One file of a living journal: its space is taken before it is written, its descriptor stays open until the end.

    The descriptor is what is read and written: a file that somebody removes is still there for both.
    """

    __slots__ = ("descriptor", "end", "faults", "is_displaced", "next_ordinal", "number", "open_requests", "path")

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.number = int(path.stem)
        self.descriptor = descriptor
        self.end = 0
        self.next_ordinal = 0
        self.open_requests = 0
        self.is_displaced = False
        self.faults: list[Fault] = []

    @classmethod
    def reserve(cls, directory: Path, number: int, size: int) -> Segment:
        """Make a spare file that has its space on the disk.

        Raises:
            OSError: there is no room, or the directory cannot be written.
        """
        path = directory / f"{number:08d}{SPARE_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return cls(path, descriptor)

    def begin(self, ordinal: int) -> None:
        """Turn the spare file into a segment whose first frame has this ordinal."""
        self.next_ordinal = ordinal
        path = segment_path(self.path.parent, self.number)
        self.path.rename(path)
        self.path = path

    def write(self, data: bytes) -> None:
        """Append a frame.

        Raises:
            OSError: it is not in the file; what of it is will be overwritten.
        """
        size = len(data)
        if os.pwrite(self.descriptor, data, self.end) != size:
            raise OSError(28, "no space left on device")
        self.end += size
        self.next_ordinal += 1

    def read(self, size: int, offset: int) -> bytes:
        """Return bytes of the file."""
        return os.pread(self.descriptor, size, offset)

    def seal(self) -> None:
        """Nothing more will be written: give back what was reserved, and bring the rest to the disk."""
        try:
            os.ftruncate(self.descriptor, self.end)
            os.fdatasync(self.descriptor)
        except OSError as exc:
            log.error("journal.not_sealed", segment=self.path.name, error=exc.strerror)

    def is_in_place(self) -> bool:
        """Tell whether the file is still there under its name."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; what is written or read from now on fails."""
        self.descriptor = descriptors.close(self.descriptor)

    def discard(self) -> None:
        """Close and remove the file."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def segment_path(directory: Path, number: int) -> Path:
    """Return the file of a segment."""
    return directory / f"{number:08d}{SUFFIX}"


def segment_numbers(directory: Path) -> list[int]:
    """Return the segments that are there, oldest first."""
    return sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())


class DirectoryLock:
    """Says that a directory's owner lives: the kernel frees it when the process dies, however it dies."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    @classmethod
    def take(cls, directory: Path) -> DirectoryLock | None:
        """Lock the directory; None when somebody else has it, or has just removed it."""
        path = directory / LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        lock = cls(descriptor, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.is_in_place():
                return lock
        except BlockingIOError:
            pass
        lock.free()
        return None

    def is_in_place(self) -> bool:
        """Tell whether the locked file is the one under its name: a removed file locks nothing."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def free(self) -> None:
        """Unlock."""
        self._descriptor = descriptors.close(self._descriptor)


def remove_directory(directory: Path) -> None:
    """Remove a journal that has nothing left to tell; what is not ours stays, and then so does the directory."""
    for spare in directory.glob(f"*{SPARE_SUFFIX}"):
        spare.unlink()
    for name in (MARKS, LOCK):
        (directory / name).unlink(missing_ok=True)
    if directory.exists() and not any(directory.iterdir()):
        directory.rmdir()
