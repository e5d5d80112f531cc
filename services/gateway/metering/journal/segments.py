"""The files of one journal: a directory for each boot of a gateway, locked while it lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

SUFFIX: Final = ".seg"
LOCK: Final = "lock"
DEAD_LETTERS: Final = "dead-letters.jsonl"


def segment_path(directory: Path, number: int) -> Path:
    """Return the file of a segment."""
    return directory / f"{number:08d}{SUFFIX}"


def segment_numbers(directory: Path) -> list[int]:
    """Return the segments that are there, oldest first."""
    return sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())


class DirectoryLock:
    """Says that a directory's owner lives: the kernel frees it when the process dies, however it dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> DirectoryLock | None:
        """Lock the directory; None when somebody else has it, or has just removed it."""
        try:
            descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The file we locked may have been unlinked between open and flock: then it locks nothing.
            if os.path.samestat(os.fstat(descriptor), (directory / LOCK).stat()):
                return cls(descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(descriptor)
        return None

    def free(self) -> None:
        """Unlock."""
        os.close(self._descriptor)


def remove_directory(directory: Path) -> None:
    """Remove a journal that has nothing left to tell; what was set aside stays, and then so does the directory."""
    (directory / LOCK).unlink(missing_ok=True)
    if not any(directory.iterdir()):
        directory.rmdir()
