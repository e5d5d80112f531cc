"""Problem: one thing that is not as it should be. Findings collects them, and compares one field at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.migration.checker.cells import Cell
from tests.migration.checker.readings.meaning import Meaning
from tests.migration.checker.report import Change, Report
from tests.migration.checker.source import Row
from tests.migration.checker.target import micros


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where."""

    kind: str
    where: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}" + (f": {self.detail}" if self.detail else "")


@dataclass(slots=True)
class Findings:
    """Everything that is wrong with a move, and what became of each table's rows."""

    report: Report
    problems: list[Problem] = field(default_factory=list)
    fates: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, kind: str, where: str, detail: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, where, detail))

    def changes_of(self, row: Row) -> Mapping[str, Sequence[Change]]:
        """Return what the report says was changed of a row, by field."""
        return self.report.changes.get((row.table, row.number), {})

    def compare(self, row: Row, name: str, meaning: Meaning, stored: Any) -> None:
        """Compare a field with what it should be, and the record of its change with both."""
        where = f"{row.table} {row.number} {name}"
        if meaning.value != stored:
            self.add("wrong_value", where, f"{row.cell(name)} became {stored!r}, not {meaning.value!r}")
        self.explained(row, name, stored, needed=not meaning.is_plain)

    def explained(self, row: Row, name: str, stored: Any, *, needed: bool) -> None:
        """Compare the record of a change with the value before and the value behind it."""
        where = f"{row.table} {row.number} {name}"
        lines = self.changes_of(row).get(name, ())
        if needed != bool(lines):
            kind = "change_not_told" if needed else "change_that_was_none"
            self.add(kind, where, f"{row.cell(name)} became {stored!r}")
        if not lines:
            return
        if lines[-1].new != stored and not (isinstance(stored, int) and moment_of(lines[-1].new) == stored):
            self.add("told_another_value", where, f"{lines[-1].new!r} is told, {stored!r} is stored")
        self._old_value(row, name, lines[0].old, where)

    def _old_value(self, row: Row, name: str, told: Cell | None, where: str) -> None:
        withheld = told is None and name == "key_hash"
        if not withheld and (told is None or told.exact != row.cell(name).exact):
            self.add("old_value_not_kept", where, f"{told} is told, {row.cell(name)} it was")

    def settle(self, table: str, rows: Sequence[Row], waiting: Mapping[int, str]) -> None:
        """Compare rows, those that should wait and those that do, and count the fates."""
        lines = {each.place[1]: each for each in self.report.waiting if each.place[0] == table}
        for row in rows:
            where = f"{table} {row.number}"
            line, reason = lines.get(row.number), waiting.get(row.number)
            if line is None and reason is not None:
                self.add("should_wait", where, f"{reason}: {dict(row.cells)}")
            if line is not None and reason is None:
                self.add("waits_without_need", where, f"{line.reason}: {dict(row.cells)}")
            if line is not None and self.changes_of(row):
                self.add("two_fates", where)
        self.fates[table] = self._counted(rows, lines.keys())

    def _counted(self, rows: Sequence[Row], waiting: Any) -> dict[str, int]:
        repaired = sum(1 for row in rows if row.number not in waiting and self.changes_of(row))
        quarantined = sum(1 for row in rows if row.number in waiting)
        return {
            "rows": len(rows),
            "as_it_is": len(rows) - repaired - quarantined,
            "repaired": repaired,
            "quarantined": quarantined,
        }


def moment_of(told: Any) -> int | None:
    """Return the moment that a line tells, in microseconds since 1970; None where it tells none."""
    try:
        return micros(datetime.fromisoformat(told))
    except (TypeError, ValueError):
        return None
