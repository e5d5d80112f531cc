"""Fate: the one end of a row of the source, and the record of what was changed on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from migrate.rules.verdict import Refused, Repaired, Stored, Verdict

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Repair:
    """A field that was changed: what it was, what it is, and by which rule."""

    field: str
    old: Stored
    new: object
    rule: str


@dataclass(frozen=True, slots=True)
class Moved(Generic[R_co]):
    """A row that has a place in 1.1; without repairs it says there what it said here."""

    record: R_co
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that waits for a person; `field` is the one that says too little, empty where it is the row as a whole."""

    reason: str
    field: str = ""


Fate: TypeAlias = "Moved[R_co] | Quarantined"


def edits_of(original: Mapping[str, Stored], values: Mapping[str, Stored]) -> list[Repair]:
    """Return what a person changed of a row."""
    if original is values:
        return []
    return [
        Repair(name, original[name], value, "edited_by_decision")
        for name, value in values.items()
        if (type(value), value) != (type(original[name]), original[name])
    ]


class _RefusedField(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.fate = Quarantined(reason, field)


class Fields:
    """Takes the verdicts on the fields of one row, and keeps the repairs."""

    def __init__(self) -> None:
        self.repairs: list[Repair] = []

    def take(self, field: str, old: Stored, verdict: Verdict[T]) -> T:
        """Return the value; a refused one ends the row, see `fate_of`."""
        if isinstance(verdict, Refused):
            raise _RefusedField(field, verdict.reason)
        if isinstance(verdict, Repaired):
            self.repairs.append(Repair(field, old, verdict.value, verdict.rule))
        return verdict.value

    def take_or(self, field: str, old: Stored, verdict: Verdict[T], otherwise: Repaired[T]) -> T:
        """Return the value, or another one in place of a refused one."""
        return self.take(field, old, otherwise if isinstance(verdict, Refused) else verdict)


def fate_of(read: Callable[[Fields], T]) -> Fate[T]:
    """Return the fate of a row whose record `read` makes of the fields."""
    fields = Fields()
    try:
        record = read(fields)
    except _RefusedField as exc:
        return exc.fate
    return Moved(record, tuple(fields.repairs))
