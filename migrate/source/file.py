"""open_source: a file of release 1.0, looked at before SQLite is, then opened for one long read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from migrate.rules.verdict import Text
from migrate.source.faults import SourceFault

MAGIC: Final = b"SQLite format 3\0"
HEADER_SIZE: Final = 100
BUSY_S: Final = 10.0
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
    if header.pages * header.page_size > size and not _wal_of(path).exists():
        missing = header.pages * header.page_size - size
        raise SourceFault(
            "source_truncated", f"{path} is cut: {missing} bytes are missing at its end. Take a whole copy or a backup."
        )
    return header


def _readable(path: Path, header: Header, aside: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the file to open: itself, or a copy where reading in place would need to write."""
    journal = path.with_name(path.name + "-journal")
    if _size_of(journal) and _is_hot(path):
        return _copied(path, aside), ("hot_journal: a copy was rolled back to the last commit and read",)
    may_write = os.access(path.parent, os.W_OK)
    if header.has_wal and not may_write:
        return _copied(path, aside), ("read_only_place: a copy with its -wal file was read",)
    return path, ()


def _size_of(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _is_hot(path: Path) -> bool:
    """Tell whether the journal is a dead writer's; one that lives holds a lock, and goes on."""
    with closing(_connect(path)) as database:
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as exc:
            return "locked" not in str(exc)
        except sqlite3.DatabaseError:
            return True
    return False


def _copied(path: Path, aside: Path) -> Path:
    copy = aside / path.name
    try:
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-journal"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copyfile(part, aside / part.name)
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


def _connect(path: Path) -> sqlite3.Connection:
    # Never `immutable`: it does not see what is in the -wal file.
    database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    database.text_factory = _AS_BYTES
    return database


def _begin(database: sqlite3.Connection, path: Path) -> None:
    try:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc) or "busy" in str(exc):
            raise SourceFault("source_locked", f"{path} is locked by another process: stop its long write.") from exc
        raise SourceFault("source_unreadable", f"{path} cannot be opened: {exc}.") from exc
    except sqlite3.DatabaseError as exc:
        raise _no_sqlite(path, exc) from exc


def _no_sqlite(path: Path, exc: sqlite3.DatabaseError) -> SourceFault:
    return SourceFault("source_no_sqlite", f"{path} cannot be read as SQLite: {exc}.")


def _wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
