"""Temporary folders for reports under way: removed with the report, also after a crash."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "razvilka-report-"
# Has no lock yet: nobody takes it for one that was left.
_NEW: Final = f"new-{PREFIX}"


@asynccontextmanager
async def scratch_folder(within: str) -> AsyncIterator[str]:
    """Yield a folder of one report, and remove those that killed instances left.

    What writes workbooks leaves its files, of gigabytes, where they are when a report ends early: because it failed,
    its owner deleted it, or its instance stopped.
    """
    await asyncio.to_thread(_remove_left, Path(within))
    # Not in a thread: whoever is stopped here would leave the folder.
    folder, lock = _made(Path(within))
    try:
        yield str(folder)
    finally:
        await asyncio.to_thread(_removed, folder, lock)


def _made(within: Path) -> tuple[Path, int | None]:
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=within))
    try:
        lock = _locked(new)
    except OSError:
        # There are file systems without locks: there it stays if we are killed.
        return new, None
    # It has its name once it is locked: until then another instance would remove it.
    return new.rename(within / new.name.removeprefix("new-")), lock


def _removed(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _remove_left(within: Path) -> None:
    """Remove the folders that nobody holds: a lock ends with its process, however that ends."""
    for folder in within.glob(f"{PREFIX}*"):
        # Another instance's that is at work, one that somebody else removes, or no folder of ours.
        with suppress(OSError):
            _removed(folder, _locked(folder))


def _locked(folder: Path) -> int:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened
