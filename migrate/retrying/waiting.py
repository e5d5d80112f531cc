"""What waits in quarantine, and which of it a person or a returning user brings back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from migrate.report.reading import latest_lines
from migrate.report.values import WITHHELD, stored_of
from migrate.retrying.edits import Edit, RowName, WrongEdit
from migrate.rules.identifiers import id_of
from migrate.rules.times import Reading, read_expiry
from migrate.rules.verdict import Repaired, Stored, Text

TIMES: Final = ("created_at", "updated_at", "expires_at", "last_used_at")
SUPERSEDED: Final = "superseded"
OWNER_WAITS: Final = "owner_quarantined"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row to be tried again.

    Attributes:
        values: as they are in the source.
        edit: those that a person changed.
        zone: of times that say none; None: that of the runs before.
    """

    table: str
    number: int
    values: Mapping[str, Stored]
    edit: Mapping[str, Stored]
    zone: ZoneInfo | None


def quarantine_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that count."""
    return latest_lines(folder / "quarantine.jsonl")


def find_waiting(folder: Path, edits: Mapping[RowName, Edit], zone: ZoneInfo | None) -> list[Waiting]:
    """Return the rows that a person mended and that still wait; those that came back before are left out.

    Raises:
        WrongEdit: a row never waited, or has no such column.
    """
    unknown = dict(edits)
    found: list[Waiting] = []
    for line in quarantine_of(folder):
        edit = unknown.pop((line["table"], line["rowid"]), None)
        if edit is not None and SUPERSEDED not in line:
            found.append(_waiting(line, edit, zone))
    for (table, row), edit in unknown.items():
        raise WrongEdit(f"line {edit.line}: row {row} of {table} is not in {folder}/quarantine.jsonl: see its rowid.")
    return found


def _waiting(line: Mapping[str, Any], edit: Edit, zone: ZoneInfo | None) -> Waiting:
    values = {name: _as_it_was(shown) for name, shown in line["values"].items()}
    strange = sorted(edit.values.keys() - values.keys())
    if strange:
        columns = ", ".join(values)
        raise WrongEdit(f"line {edit.line}: values.{strange[0]}: no such column; {line['table']} has {columns}.")
    changed = {name: value for name, value in edit.values.items() if not _is_same(value, values[name])}
    return Waiting(line["table"], line["rowid"], values, changed, edit.zone or zone)


def _as_it_was(shown: Any) -> Stored:
    # No other value is this one: what a person writes in place of a secret is a change.
    return Text(WITHHELD["class"].encode()) if shown == WITHHELD else stored_of(shown)


def _is_same(one: Stored, other: Stored) -> bool:
    # NaN is not equal to itself, 1 is equal to 1.0.
    return type(one) is type(other) and repr(one) == repr(other)


def find_owned(folder: Path, owners: Mapping[str, str], absent: set[str], known: set[int]) -> Iterator[Waiting]:
    """Yield usage rows whose user is there now, but for those of `known` rowids."""
    for line in quarantine_of(folder):
        if line["table"] != "usage" or line.get("reason") != OWNER_WAITS or line["rowid"] in known:
            continue
        values = {name: stored_of(shown) for name, shown in line["values"].items()}
        owner = id_of(values["user_id"], "user")
        if owner is not None and owners.get(owner, owner) not in absent:
            yield Waiting("usage", line["rowid"], values, {}, None)


def in_stated_zone(row: Waiting, reading: Reading) -> dict[str, Stored]:
    """Return what is to be changed of a user or a key: times that say no zone say one from now on."""
    if row.zone is None:
        return dict(row.edit)
    at = replace(reading, zone=row.zone)
    found: dict[str, Stored] = dict(row.edit)
    for name in TIMES:
        value = found.get(name, row.values.get(name))
        verdict = read_expiry(value, at)
        if isinstance(verdict, Repaired) and verdict.rule.endswith("in_stated_zone") and verdict.value is not None:
            found[name] = Text(verdict.value.isoformat().encode())
    return found
