"""Parquet, where DuckDB is installed (`pip install 'razvilka[parquet]'`): the lightest that writes it (67 MB)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final

from servicekit.errors import invalid_parameter
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.tables import CellRow, CellType, Column
from services.usage.reports.writers.json_objects import object_of
from services.usage.reports.writers.json_rows import encode

_TYPES: Final = {
    CellType.TEXT: "VARCHAR",
    CellType.INTEGER: "BIGINT",
    CellType.ROUBLES: "DECIMAL(18,6)",
    CellType.MOMENT: "TIMESTAMPTZ",
}
_PIECE: Final = 1 << 20


def check_installed() -> None:
    """Do nothing when Parquet can be written.

    Raises:
        InvalidRequest: it cannot; the message says what to install.
    """
    if find_spec("duckdb") is None:
        text = "`format` cannot be parquet here: the usage service is installed without razvilka[parquet] (DuckDB)."
        raise invalid_parameter("format", text)


class ParquetRows:
    """Typed rows, with moments in UTC. Header and totals are in the file's metadata, not among the rows."""

    def __init__(self, file: BinaryIO, head: Head, columns: Sequence[Column], scratch: str) -> None:
        self._file = file
        self._head = head
        self._columns = columns
        self._folder = tempfile.TemporaryDirectory(dir=scratch)
        self._rows_path = Path(self._folder.name) / "rows.jsonl"
        self._rows = self._rows_path.open("wb")

    def add(self, rows: Sequence[CellRow]) -> None:
        """Keep some rows for the end: a Parquet file is written by columns."""
        for row in rows:
            self._rows.write(encode(object_of(self._columns, row)) + b"\n")

    def finish(self, totals: CellRow) -> None:
        """Write the file."""
        self._rows.close()
        target = Path(self._folder.name) / "report.parquet"
        metadata = {"report": self._head.as_json(), "totals": object_of(self._columns, totals)}
        _convert(self._rows_path, target, self._columns, metadata)
        with target.open("rb") as made:
            while piece := made.read(_PIECE):
                self._file.write(piece)
        self._folder.cleanup()


def _convert(source: Path, target: Path, columns: Sequence[Column], metadata: dict[str, Any]) -> None:
    import duckdb  # an extra: most installations do without

    types = ", ".join(f"'{column.name}': '{_TYPES[column.type]}'" for column in columns)
    # Only our own names and paths are put in; quotes are doubled all the same.
    kept = ", ".join(f"{name}: '{_quoted(json.dumps(value))}'" for name, value in metadata.items())
    statement = (
        f"COPY (SELECT * FROM read_json('{_quoted(str(source))}', format='newline_delimited', columns={{{types}}})) "  # noqa: S608
        f"TO '{_quoted(str(target))}' (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{kept}}})"
    )
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as connection:
        connection.execute(statement)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
