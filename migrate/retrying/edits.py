"""read_edits: the lines that a person took from quarantine.jsonl and mended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migrate.fates.merging import WrongDecision
from migrate.report.values import WITHHELD, stored_of
from migrate.rules.verdict import Stored

TABLES: Final = ("users", "api_keys", "usage")
RowName: TypeAlias = tuple[str, int]


class WrongEdit(WrongDecision):
    """A line that cannot be retried; the message names the line, the field and the fix."""

    code = "wrong_edit"


@dataclass(frozen=True, slots=True)
class Edit:
    """A line.

    Attributes:
        line: its number, from 1.
        values: by column; those that are not named stay as they were.
        zone: of times that say none; None: that of the command.
    """

    line: int
    values: Mapping[str, Stored]
    zone: ZoneInfo | None


def read_edits(path: Path) -> dict[RowName, Edit]:
    """Return the lines by the row that they name.

    Raises:
        WrongEdit: the file or a line cannot be read, or two lines are of one row.
    """
    edits: dict[RowName, Edit] = {}
    for number, text in _lines(path):
        row, edit = _edit(number, text)
        if row in edits:
            raise WrongEdit(f"line {number}: row {row[1]} of {row[0]} is in line {edits[row].line}, too: leave one.")
        edits[row] = edit
    return edits


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from ((number, text) for number, text in enumerate(file, 1) if text.strip())
    except (OSError, UnicodeDecodeError) as exc:
        raise WrongEdit(f"--from-quarantine {path} cannot be read: {exc}.") from exc


def _edit(number: int, text: str) -> tuple[RowName, Edit]:
    try:
        line = json.loads(text)
    except ValueError as exc:
        raise WrongEdit(f"line {number} is no JSON: {exc}.") from exc
    if not isinstance(line, dict):
        raise WrongEdit(f"line {number} is no JSON object, like those of quarantine.jsonl.")
    table, row = line.get("table"), line.get("rowid")
    if table not in TABLES:
        raise WrongEdit(f"line {number}: table must be one of {', '.join(TABLES)}, not {table!r}.")
    if not isinstance(row, int) or isinstance(row, bool):
        raise WrongEdit(f"line {number}: rowid must be the number that quarantine.jsonl has, not {row!r}.")
    return (table, row), Edit(number, _values(number, line.get("values", {})), _zone(number, line.get("naive_zone")))


def _values(number: int, values: Any) -> dict[str, Stored]:
    if not isinstance(values, dict):
        raise WrongEdit(f"line {number}: values must be an object of columns.")
    found: dict[str, Stored] = {}
    for name, shown in values.items():
        if shown == WITHHELD:
            # It stays what it is in the source.
            continue
        try:
            found[name] = stored_of(shown)
        except ValueError as exc:
            raise WrongEdit(f"line {number}: values.{name}: {exc}.") from exc
    return found


def _zone(number: int, name: Any) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError) as exc:
        raise WrongEdit(f"line {number}: naive_zone {name!r} is no IANA time zone, like Europe/Moscow.") from exc
