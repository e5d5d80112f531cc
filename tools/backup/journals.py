"""Journals that are being written to, copied so that each file is what it was at one moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.gateway.metering.journal.frames import frames
from services.gateway.metering.journal.segments import SPARE_SUFFIX, SUFFIX

PRIVATE: Final = 0o700


def copy_journals(source: Path, target: Path) -> None:
    """Copy everything but the room that is reserved for later."""
    target.mkdir(mode=PRIVATE)
    for file in _files(source):
        if file.suffix != SPARE_SUFFIX:
            _copy(file, target / file.relative_to(source))


def copy_segments_again(source: Path, target: Path) -> None:
    """Copy what has been written to segments since, also of new ones; what else there is stays as it was.

    The marks of what usage has confirmed must stay: they may be ahead of a database that was written in between.
    """
    for file in _files(source):
        if file.suffix == SUFFIX:
            _copy(file, target / file.relative_to(source))


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file()) if folder.exists() else []


def _copy(file: Path, copy: Path) -> None:
    try:
        content = whole_segment(file.read_bytes) if file.suffix == SUFFIX else file.read_bytes()
    except FileNotFoundError:
        # Shipped meanwhile, and gone, or renamed into use.
        return
    copy.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    copy.touch(mode=0o600)
    copy.write_bytes(content)


def whole_segment(read: Callable[[], bytes]) -> bytes:
    """Return a segment without frames behind one that was being written while it was read.

    Args:
        read: reads the file.
    """
    first = read()
    end = _end(first)
    if not first[end:].strip(b"\0"):
        return first
    again = read()
    # What has become readable was only late; what has not is damage, and is kept as it is.
    return again[: _end(again)] if _end(again) > end else again


def _end(content: bytes) -> int:
    """Return where the frames that can be read one after the other end."""
    end = 0
    for each in frames(content):
        end = each.end
    return end
