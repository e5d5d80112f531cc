"""Converts a month's rows from PostgreSQL's CSV to Parquet, and verifies the file's contents."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.usage.domain.record import COLUMNS

_TYPES: Final = {
    "integer": "BIGINT",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMPTZ",
}
# Texts of every other type come back as PostgreSQL wrote them.
_COLUMNS: Final = {
    **{column.stored_as: _TYPES.get(column.sql_type, "VARCHAR") for column in COLUMNS},
    "cost": "DECIMAL(10,6)",
    "created_at": "TIMESTAMPTZ",
}
NAMES: Final = tuple(_COLUMNS)
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Proof:
    """A fingerprint of rows: count, cost, tokens, and a digest over each id with its cost, in order."""

    rows: int
    cost_micro_rub: int
    tokens: int
    digest: str


# The same in the database's words: `store.PROVE`.
_PROVE: Final = """
    SELECT
        count(*), coalesce(sum(cost * 1000000), 0)::BIGINT, coalesce(sum(tokens_input + tokens_output), 0)::BIGINT,
        md5(coalesce(string_agg(id || ':' || (cost * 1000000)::BIGINT, ',' ORDER BY id), ''))
    FROM read_parquet({file})
"""


def write_parquet(rows: Path, file: Path) -> None:
    """Write a file of rows that PostgreSQL wrote as CSV with a line of names; moments are UTC."""
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())
    # An empty text stands in quotes, and what is unknown is empty without them.
    _run(
        f"COPY (SELECT * FROM read_csv({_text(rows)}, header=true, auto_detect=false, delim=',', quote='\"', "  # noqa: S608
        f"escape='\"', nullstr='', allow_quoted_nulls=false, columns={{{types}}})) "
        f"TO {_text(file)} (FORMAT parquet, COMPRESSION zstd)"
    )


def prove(file: Path) -> Proof:
    """Return what a file holds, read from it."""
    return Proof(*_run(_PROVE.format(file=_text(file))))


def sha256_of(file: Path) -> str:
    """Return the checksum of a file."""
    found = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def _run(statement: str) -> tuple[Any, ...]:
    import duckdb  # an extra: most installations do without

    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found: tuple[Any, ...] | None = connection.execute(statement).fetchone()
        return found or ()


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
