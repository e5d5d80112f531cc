"""Users and keys as a person mended them: laid over the rows of the source each time that these are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from migrate.report.values import as_stored, stored_of
from migrate.rules.verdict import Stored
from migrate.source.scan import SourceRows

# In a run's state: by table and rowid the columns with other values, as the report shows them.
EDITS: Final = "edits"
# And whether users and keys are to be read again though nothing changed, and those who were absent asked for anew.
AGAIN: Final = "again"
Shown = Mapping[str, Mapping[str, Any]]


def edited(users: SourceRows, keys: SourceRows, state: Mapping[str, Any]) -> tuple[SourceRows, SourceRows]:
    """Return the rows with what was mended; keys follow a user whose id became another."""
    edits: Mapping[str, Mapping[str, Shown]] = state.get(EDITS, {})
    if not edits:
        return users, keys
    new_users = _laid_over(users, edits.get("users", {}))
    renamed = _renamed(new_users)
    of_keys: dict[str, Shown] = {
        str(number): {"user_id": as_stored(renamed[row["user_id"]])}
        for number, row in keys.rows
        if row["user_id"] in renamed
    }
    for number, edit in edits.get("api_keys", {}).items():
        of_keys[number] = {**of_keys.get(number, {}), **edit}
    return new_users, _laid_over(keys, of_keys)


def _laid_over(rows: SourceRows, edits: Mapping[str, Shown]) -> SourceRows:
    originals = {number: row for number, row in rows.rows if str(number) in edits}
    new = [(number, {**row, **_stored(edits.get(str(number), {}))}) for number, row in rows.rows]
    return SourceRows(new, rows.holes, originals)


def _stored(edit: Shown) -> dict[str, Stored]:
    return {name: stored_of(shown) for name, shown in edit.items()}


def _renamed(users: SourceRows) -> dict[Stored, Stored]:
    """Return the new ids by the old ones that no other user has."""
    held = Counter(row["id"] for row in users.values)
    new = {number: row["id"] for number, row in users.rows if number in users.originals}
    olds = Counter(row["id"] for row in users.originals.values())
    return {
        row["id"]: new[number]
        for number, row in users.originals.items()
        if row["id"] != new[number] and not held[row["id"]] and olds[row["id"]] == 1
    }
