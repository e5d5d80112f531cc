"""JSON and JSON lines of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import msgspec

from services.usage.reports.domain.head import Head
from services.usage.reports.domain.tables import CellRow, Column
from services.usage.reports.writers.json_objects import object_of

encode: Final = msgspec.json.Encoder().encode


class JsonLines:
    """One object for each line: the report's header, the rows, the totals; `object` tells which."""

    def __init__(self, file: BinaryIO, head: Head, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns
        self._write("report", head.as_json())

    def add(self, rows: Sequence[CellRow]) -> None:
        """Write some rows."""
        for row in rows:
            self._write("row", object_of(self._columns, row))

    def finish(self, totals: CellRow) -> None:
        """Write the totals."""
        self._write("totals", object_of(self._columns, totals))

    def _write(self, kind: str, members: dict[str, Any]) -> None:
        self._file.write(encode({"object": kind, **members}) + b"\n")


class JsonRows:
    """One object: the report's header, `data` with the rows, `totals`."""

    def __init__(self, file: BinaryIO, head: Head, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns
        self._between = b"\n"
        file.write(b'{"report":' + encode(head.as_json()) + b',\n"data":[')

    def add(self, rows: Sequence[CellRow]) -> None:
        """Write some rows."""
        for row in rows:
            self._file.write(self._between + encode(object_of(self._columns, row)))
            self._between = b",\n"

    def finish(self, totals: CellRow) -> None:
        """Write the totals."""
        self._file.write(b'\n],\n"totals":' + encode(object_of(self._columns, totals)) + b"}\n")
