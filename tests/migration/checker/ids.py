"""Ids: which became which, by the report, and whether it says the same everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.migration.checker.cells import Cell
from tests.migration.checker.readings.meaning import Meaning
from tests.migration.checker.readings.texts import ANOTHER, read_id, read_request_id
from tests.migration.checker.report import Report
from tests.migration.checker.source import Row
from tests.migration.checker.verdict import Findings


class Ids:
    """What the map of ids says, completed by what the report says of fields that name a user."""

    def __init__(self, report: Report) -> None:
        self._told: dict[str, dict[tuple[str, bytes], str]] = defaultdict(dict)
        self._conflicts: list[str] = []
        for table, old, new in report.ids:
            self._note(table, old, new)
        for (table, _), fields in report.changes.items():
            for change in fields.get("user_id", ()):
                if change.old is not None and table != "users":
                    self._note("users", change.old, change.new)

    def _note(self, table: str, old: Cell, new: str) -> None:
        if self._told[table].setdefault(old.exact, new) != new:
            self._conflicts.append(f"{table} {old} became {new} and {self._told[table][old.exact]}")

    def of_account(self, table: str, cell: Cell) -> str | None:
        """Return the id in 1.1 of a user or a key; None: it has none."""
        return self._of(table, cell, read_id(cell, is_part=table == "api_keys"))

    def of_request(self, cell: Cell, created_at: int) -> str | None:
        """Return the id in 1.1 of a request; None: it has none."""
        return self._of("usage", cell, read_request_id(cell, created_at))

    def _of(self, table: str, cell: Cell, meaning: Meaning | None) -> str | None:
        if meaning is None:
            return None
        # Where the map says nothing the old id stands for itself, and is not found in 1.1.
        told = self._told[table].get(cell.exact, f"untold {cell.exact}")
        return told if meaning.value is ANOTHER else str(meaning.value)

    def explained(self, row: Row, name: str, stored: str, found: Findings) -> None:
        """Compare the record of an id's change with both ids, and with the map."""
        table = "users" if name == "user_id" else row.table
        cell = row.cell(name)
        changed = cell.text != stored
        found.explained(row, name, stored, needed=changed)
        if changed and name == "id" and self._told[table].get(cell.exact) != stored:
            found.add("id_not_in_map", f"{row.table} {row.number}", f"{cell} became {stored}")

    def check(self, counted: Mapping[str, int], found: Findings) -> None:
        """Look for an id that became two, for two that became one, and for lines about nothing."""
        for conflict in self._conflicts:
            found.add("id_became_two", conflict)
        for table, told in self._told.items():
            for new, olds in _by_value(told).items():
                if len(olds) > 1:
                    found.add("two_ids_became_one", f"{table} {new}", repr(olds))
        for table in {table for table, _, _ in found.report.ids}:
            lines = sum(1 for each, _, _ in found.report.ids if each == table)
            if lines != counted.get(table, 0):
                found.add("map_has_other_lines", table, f"{lines} lines, {counted.get(table, 0)} ids that changed")


def _by_value(told: Mapping[Any, str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for old, new in told.items():
        found[new].append(old)
    return found
