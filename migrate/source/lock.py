"""refuse_writers: 1.0 goes on reading and cannot write, until the block ends or this process does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from migrate.source.faults import SourceFault


@contextmanager
def refuse_writers(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the one write lock of the file: its writers are told "database is locked". Nothing is written.

    The file must not be opened and closed otherwise within the block: POSIX drops a process's locks on a file when the
    process closes any of its descriptors of it. Sources that are open already are read through SQLite, which knows.

    Args:
        path: of the file.
        wait_s: how long to wait for a writer that is at work.

    Raises:
        SourceFault: the lock cannot be had.
    """
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=wait_s, isolation_level=None)
    with closing(connection):
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            raise _fault(path, wait_s, exc) from exc
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


def _fault(path: Path, wait_s: float, exc: sqlite3.OperationalError) -> SourceFault:
    if "locked" in str(exc):
        return SourceFault(
            "source_locked", f"{path}: 1.0 was in a write for more than {wait_s:g} s: wait for its end, or stop it."
        )
    return SourceFault(
        "source_read_only", f"{path} cannot be locked ({exc}): give this command the right to write to the file."
    )
