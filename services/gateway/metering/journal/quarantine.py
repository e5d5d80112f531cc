"""Where segments go that could not be understood whole: kept for a person, with the offset and the reason.

A segment is moved, not copied: that needs no space. Nothing here is ever deleted by the gateway. The room that was
reserved in it and never written is given back: else a few damaged segments of some lines fill a small disk.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from services.gateway.metering import metrics
from services.gateway.metering.journal.holes import punch_zeros
from services.gateway.metering.journal.segments import SUFFIX, Fault

log = structlog.get_logger()

FOLDER: Final = "quarantine"
NOTE_SUFFIX: Final = ".json"
_COPIED_AT_ONCE: Final = 1 << 20


class Note(msgspec.Struct, frozen=True):
    """What is written beside a segment in quarantine."""

    boot_id: str
    segment: int
    set_aside_at_unix_s: int
    faults: tuple[Fault, ...]


class Quarantine:
    """A folder beside the journals."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self.observe()

    @property
    def count(self) -> int:
        """Return how many files wait for a person."""
        return sum(1 for _ in self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else 0

    def observe(self) -> None:
        """Set the gauge; while the folder cannot be looked at, it stays what it was."""
        with contextlib.suppress(OSError):
            metrics.QUARANTINE.set(self.count)

    def take(self, path: Path, faults: Sequence[Fault], descriptor: int | None = None) -> None:
        """Move a segment here; one whose name is gone is copied from its open descriptor.

        Raises:
            OSError: it is where it was.
        """
        boot_id, number = path.parent.name, int(path.stem)
        target = self.folder / f"{boot_id}-{path.stem}{SUFFIX}"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if descriptor is None or _is_same(path, descriptor):
            path.rename(target)
        else:
            _copy(descriptor, target)
        with contextlib.suppress(OSError):
            punch_zeros(target)
        # The file is the evidence; a note that does not fit on the disk is in the log all the same.
        note = Note(boot_id, number, int(time.time()), tuple(faults))
        with contextlib.suppress(OSError):
            target.with_suffix(NOTE_SUFFIX).write_bytes(msgspec.json.encode(note))
        self.observe()
        log.error("journal.quarantined", file=str(target), faults=[msgspec.to_builtins(fault) for fault in faults])


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _copy(descriptor: int, target: Path) -> None:
    with target.open("wb") as file:
        at = 0
        while data := os.pread(descriptor, _COPIED_AT_ONCE, at):
            file.write(data)
            at += len(data)
        file.flush()
        os.fsync(file.fileno())
