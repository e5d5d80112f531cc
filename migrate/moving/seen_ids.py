"""SeenIds: which row has an id of 1.1 already, in a file, so that memory does not grow."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from migrate.report.faults import ReportFault


class SeenIds:
    """Ids and the number of the row that has each. Asked again about the same row it says the same."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        # What is lost in a crash is asked again: the rows behind the last batch are read again. But a journal in memory
        # would be lost with a tool that is killed while it writes, and leave half a tree.
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA journal_mode=TRUNCATE")
        self._database.execute("CREATE TABLE IF NOT EXISTS seen (id BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        (self._has_some,) = self._database.execute("SELECT EXISTS (SELECT 1 FROM seen)").fetchone()
        self._database.execute("BEGIN")

    def __enter__(self) -> SeenIds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._database.execute("COMMIT")
        finally:
            self._database.close()

    def is_first(self, found: uuid.UUID, number: int) -> bool:
        """Tell whether no earlier row has the id, which is the row's from now on."""
        return self.take(found.bytes, number)

    def take(self, id_: bytes, number: int) -> bool:
        """Tell the same of an id's bytes."""
        self._has_some = 1
        if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, number)).rowcount:
            return True
        return self.holder(id_) == number

    def holder(self, id_: bytes) -> int | None:
        """Return the number of the row that has an id."""
        if not self._has_some:
            return None
        found = self._database.execute("SELECT number FROM seen WHERE id = ?", (id_,)).fetchone()
        return None if found is None else int(found[0])

    @property
    def is_empty(self) -> bool:
        """Tell whether no row has an id."""
        return not self._has_some

    def keep(self) -> None:
        """Write what was seen."""
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")


@contextmanager
def opened_ids(path: Path) -> Iterator[SeenIds]:
    """Yield the ids in a file of the report's folder.

    Raises:
        ReportFault: it cannot be written.
    """
    try:
        with SeenIds(path) as seen:
            yield seen
    except sqlite3.Error as exc:
        message = f"{path} cannot be written: {exc}. Make room or give the right, then run it again."
        raise ReportFault("report_unwritable", message) from exc


def forget_ids(path: Path) -> None:
    """Delete the file, with what a killed run left beside it."""
    for each in (path, path.with_name(f"{path.name}-journal")):
        each.unlink(missing_ok=True)
