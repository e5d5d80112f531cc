"""Wholes: the lines of tables that are read again and again as wholes, and what of them is already in the files.

A row's lines may change with the row. Then they are written once more with the number of the round, and of a row's
lines in a file those of its latest round count; a line with `superseded` says that there are none any more.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from migrate.report.faults import report_errors
from migrate.report.files import ReportFiles
from migrate.report.lines import ReportLines

# Files whose lines name the row; a line of the map of ids stays true.
BY_ROW: Final = ("quarantine", "repairs")
RowName: TypeAlias = tuple[str, int | str]


class HeldLines(ReportLines):
    """Lines by row, kept back until all are known."""

    def __init__(self) -> None:
        self.lines: dict[RowName, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        self._last: RowName = ("", 0)

    def write(self, name: str, line: Mapping[str, Any]) -> None:
        """Keep a line; one that names no row belongs to the row before."""
        if name in BY_ROW:
            self._last = (line["table"], line["rowid"])
        self.lines[self._last].append((name, line))


class Wholes:
    """What the files say of each row, remembered beside them under the number of the round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self, held: HeldLines, rows: Iterable[RowName], report: ReportFiles, before: int | None, now: int
    ) -> None:
        """Write the lines that are not there yet.

        Args:
            held: all lines of the round.
            rows: all that were read.
            report: takes them.
            before: the number of the round that was last written; None: nothing was.
            now: the number of this round.
        """
        known = {} if before is None else self._read(before)
        for row in dict.fromkeys((*held.lines, *rows, *(known or ()))):
            digest = _digest(held.lines.get(row, []))
            if known is None or known.get(row, _digest([])) != digest:
                is_new = known is not None and row not in known
                _write_row(row, held.lines.get(row, []), report, now, is_new=is_new)
        self._keep({row: _digest(lines) for row, lines in held.lines.items()}, now)

    def forget(self, now: int) -> None:
        """Delete what earlier rounds remembered, once the target knows of this one."""
        for path in self._folder.glob("wholes-*.json"):
            if path != self._path(now):
                path.unlink(missing_ok=True)

    def _read(self, number: int) -> dict[RowName, str] | None:
        """Return what is remembered; None: it is lost, and every row is written again."""
        try:
            return {(table, row): digest for table, row, digest in json.loads(self._path(number).read_text())}
        except (OSError, ValueError):
            return None

    def _keep(self, digests: Mapping[RowName, str], number: int) -> None:
        with report_errors(self._folder):
            new = self._path(number).with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump([[*row, digest] for row, digest in digests.items()], file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path(number))

    def _path(self, number: int) -> Path:
        return self._folder / f"wholes-{number}.json"


def _write_row(
    row: RowName, lines: list[tuple[str, Mapping[str, Any]]], report: ReportFiles, now: int, *, is_new: bool
) -> None:
    mark = {"round": now} if now else {}
    for name, line in lines:
        report.write(name, {**line, **mark} if name in BY_ROW else line)
    for name in () if is_new else BY_ROW:
        if all(each != name for each, _ in lines):
            report.write(name, {"table": row[0], "rowid": row[1], "superseded": True, **mark})


def _digest(lines: list[tuple[str, Mapping[str, Any]]]) -> str:
    return hashlib.sha256(json.dumps(lines, sort_keys=True).encode()).hexdigest()[:16]
