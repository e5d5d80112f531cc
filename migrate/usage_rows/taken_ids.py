"""Which usage row of a source has an id of 1.1: the first one that moves.

Where the source itself keeps its ids apart, an id that moves as it is can only meet one that was made of another: just
the made ones are remembered then.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from migrate.fates.fate import Moved
from migrate.fates.records import Request
from migrate.rules.verdict import Stored
from migrate.source.scan import Scan
from migrate.source.tables import Table

ID: Final = "id"


class Seen(Protocol):
    """Ids and the number of the row that has each."""

    def is_first(self, found: uuid.UUID, number: int) -> bool:
        """Tell whether no earlier row has the id, which is the row's from now on."""

    def take(self, id_: bytes, number: int) -> bool:
        """Tell the same of an id's bytes."""

    def holder(self, id_: bytes) -> int | None:
        """Return the number of the row that has an id."""

    @property
    def is_empty(self) -> bool:
        """Tell whether no row has one."""


class TakenIds(Protocol):
    """Tells whether a row may have an id."""

    def is_free(self, id_: bytes, number: int) -> bool:
        """Tell whether no earlier row has an id that moves as it is."""

    def are_free(self, ids: Sequence[bytes], numbers: Sequence[int]) -> bool:
        """Tell whether rows may have such ids, each its own; asked about those up to the first that may not."""
        return all(map(self.is_free, ids, numbers))

    def is_free_for_made(self, id_: uuid.UUID, number: int) -> bool:
        """Tell the same of an id that was made of another, or rewritten."""


class AllIds(TakenIds):
    """Remembers every id."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def is_free(self, id_: bytes, number: int) -> bool:
        """Tell whether no earlier row has an id."""
        return self._seen.take(id_, number)

    def is_free_for_made(self, id_: uuid.UUID, number: int) -> bool:
        """Tell the same of an id that was made."""
        return self._seen.is_first(id_, number)


class MadeIds(TakenIds):
    """Remembers ids that were made, and finds the others in the source."""

    def __init__(self, seen: Seen, scan: Scan, moves: Callable[[Mapping[str, Stored]], bool]) -> None:
        """`moves` tells whether a row of the source moves, its id apart."""
        self._seen = seen
        self._scan = scan
        self._moves = moves

    def is_free(self, id_: bytes, number: int) -> bool:
        """Tell whether no earlier row has an id that moves as it is."""
        return self._seen.holder(id_) in (None, number)

    def are_free(self, ids: Sequence[bytes], numbers: Sequence[int]) -> bool:
        """Tell whether rows may have such ids, each its own."""
        return self._seen.is_empty or all(map(self.is_free, ids, numbers))

    def is_free_for_made(self, id_: uuid.UUID, number: int) -> bool:
        """Tell whether no earlier row has an id that was made."""
        # In this order: a row that may not have it must not be remembered as the one that has it.
        return not self._is_there_before(str(id_), number) and self._seen.is_first(id_, number)

    def _is_there_before(self, id_: str, number: int) -> bool:
        found = self._scan.find(ID, id_)
        return found is not None and found.number < number and self._moves(self._scan.named(found))


def has_free_id(fate: Moved[Request], number: int, taken: TakenIds) -> bool:
    """Tell whether no earlier row has the id of one that would move."""
    if any(repair.field == ID for repair in fate.repairs):
        return taken.is_free_for_made(fate.record.id, number)
    return taken.is_free(fate.record.id.bytes, number)


def taken_ids(scan: Scan, table: Table, seen: Seen, moves: Callable[[Mapping[str, Stored]], bool]) -> TakenIds:
    """Return what tells which ids are taken."""
    return MadeIds(seen, scan, moves) if table.has_rowid and scan.is_unique(ID) else AllIds(seen)
