"""open_source: a file of release 1.0, looked at before SQLite is, then opened for one long read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from migrate.rules.verdict import Text
from migrate.source.faults import SourceFault

MAGIC: Final = b"SQLite format 3\0"
HEADER_SIZE: Final = 100
BUSY_S: Final = 10.0
# How often a copy is begun anew that 1.0's log was begun anew under.
TRIES: Final = 5
LOG_HEADER_SIZE: Final = 32
WAL: Final = "-wal"
JOURNAL: Final = "-journal"
# Cell texts are asked for as bytes: one that is no UTF-8 would end the whole read.
_AS_BYTES: Final = Text


@dataclass(frozen=True, slots=True)
class Header:
    """What the first hundred bytes say; https://sqlite.org/fileformat.html section 1.3.

    Attributes:
        page_size: bytes.
        pages: that the file should have; 0: an old writer did not say.
        has_wal: later changes may be in the file beside it.
    """

    page_size: int
    pages: int
    has_wal: bool


@dataclass(frozen=True, slots=True)
class Source:
    """An open file: every read sees the state of one moment, whatever 1.0 writes meanwhile, unless it is not held.

    Attributes:
        path: of the file that was named.
        database: reads TEXT as `Text` and BLOBs as bytes.
        notes: what had to be done to read it, for the report.
    """

    path: Path
    database: sqlite3.Connection
    notes: tuple[str, ...]


@contextmanager
def open_source(path: Path, aside: Path, *, is_held: bool = True) -> Iterator[Source]:
    """Yield the source; leaving it ends the read.

    Args:
        path: of the file.
        aside: a folder for a copy, where the file cannot be read in its place.
        is_held: read the state of one moment. Without a write-ahead log 1.0 cannot write as long; else each statement
            sees the state of its own moment, and 1.0 waits for none longer than it takes.

    Raises:
        SourceFault: it cannot be read.
    """
    header = read_header(path)
    found, notes = _readable(path, header, aside)
    with closing(_connect(found)) as database:
        _begin(database, path)
        if not is_held:
            database.execute("COMMIT")
        yield Source(path, database, notes)


def read_header(path: Path) -> Header:
    """Return the header.

    Raises:
        SourceFault: there is no such file, or it is no SQLite database, or a part of it is missing.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_SIZE)
            size = file.seek(0, os.SEEK_END)
    except OSError as exc:
        raise SourceFault("source_unreadable", f"{path} cannot be read: {exc.strerror}.") from exc
    if size == 0:
        raise SourceFault("source_empty", f"{path} has 0 bytes: name the file that release 1.0 really used.")
    if not head.startswith(MAGIC) or len(head) < HEADER_SIZE:
        raise SourceFault(
            "source_no_sqlite",
            f"{path} is no SQLite database, or it is encrypted: decrypt it with its own tool.",
        )
    page_size = int.from_bytes(head[16:18], "big")
    header = Header(65_536 if page_size == 1 else page_size, int.from_bytes(head[28:32], "big"), head[18] == 2)
    if header.pages * header.page_size > size and not _beside(path, WAL).exists():
        missing = header.pages * header.page_size - size
        raise SourceFault(
            "source_truncated", f"{path} is cut: {missing} bytes are missing at its end. Take a whole copy or a backup."
        )
    return header


def _readable(path: Path, header: Header, aside: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the file to open: itself, or a copy where reading in place would need to write."""
    if _size_of(_beside(path, JOURNAL)) and not _can_be_read(path):
        return _copied(path, aside), ("hot_journal: a copy was rolled back to the last commit and read",)
    may_write = os.access(path.resolve().parent, os.W_OK)
    # What 1.0 itself keeps of its log while it runs, others may read by, too.
    if header.has_wal and not may_write and not _can_be_read(path):
        return _copied(path, aside), ("read_only_place: a copy with its -wal file was read",)
    return path, ()


def _can_be_read(path: Path) -> bool:
    """Tell whether SQLite reads it without writing. A writer that lives holds a lock, and goes on: it can."""
    with closing(_connect(path)) as database:
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except SourceFault:
            return True
        except sqlite3.DatabaseError:
            return False
    return True


def _size_of(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _copied(path: Path, aside: Path) -> Path:
    copy = aside / path.name
    try:
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(TRIES):
            begun = _log_header(path)
            _copy_parts(path, copy)
            if _log_header(path) == begun:
                break
        else:
            raise SourceFault(
                "source_not_copied",
                f"{path} can be read only as a copy, and 1.0 goes on writing under it: give this command the right to "
                "write to its folder, or stop 1.0.",
            )
        # Opened for writing once: SQLite rolls back what was not committed, or takes over the log.
        with closing(sqlite3.connect(copy)) as database:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (OSError, sqlite3.OperationalError) as exc:
        raise SourceFault(
            "source_not_copied",
            f"{path} can be read only as a copy, which cannot be made in {aside.parent} ({exc}): make room there, or "
            "name another folder by TMPDIR.",
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise _no_sqlite(path, exc) from exc
    return copy


def _copy_parts(path: Path, copy: Path) -> None:
    for suffix in ("", WAL, JOURNAL):
        part = copy.with_name(copy.name + suffix)
        part.unlink(missing_ok=True)
        if _beside(path, suffix).exists():
            shutil.copyfile(_beside(path, suffix), part)


def _log_header(path: Path) -> bytes:
    """Return what is another once the log has begun anew.

    As long as it has not, it has all that went from it into the file, whichever pages of that were copied before.
    """
    try:
        with _beside(path, WAL).open("rb") as file:
            return file.read(LOG_HEADER_SIZE)
    except FileNotFoundError:
        return b""


class _Reading(sqlite3.Connection):
    """Tells a lock of 1.0's from damage: what goes on past a bad page must not go on past rows that are locked."""

    path = Path()

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement.

        Raises:
            SourceFault: another process keeps the file locked.
        """
        try:
            return super().execute(statement, parameters)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            message = f"{self.path} is locked by another process: stop its long write."
            raise SourceFault("source_locked", message) from exc


def _connect(path: Path) -> sqlite3.Connection:
    # Never `immutable`: it does not see what is in the -wal file.
    database = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None, factory=_Reading
    )
    database.path = path
    database.text_factory = _AS_BYTES
    return database


def _begin(database: sqlite3.Connection, path: Path) -> None:
    try:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as exc:
        raise SourceFault("source_unreadable", f"{path} cannot be opened: {exc}.") from exc
    except sqlite3.DatabaseError as exc:
        raise _no_sqlite(path, exc) from exc


def _no_sqlite(path: Path, exc: sqlite3.DatabaseError) -> SourceFault:
    return SourceFault("source_no_sqlite", f"{path} cannot be read as SQLite: {exc}.")


def _beside(path: Path, suffix: str) -> Path:
    """Return a file of SQLite's own: it is beside the file itself, not beside a link to it."""
    real = path.resolve()
    return real.with_name(real.name + suffix)
