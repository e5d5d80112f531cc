"""Lines of the report: how they say a fate; where they go is another's affair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from migrate.fates.fate import Quarantined, Repair
from migrate.report.values import WITHHELD, as_new, as_stored
from migrate.rules.key_hashes import is_open_key
from migrate.rules.verdict import Stored

# Where a key itself may lie open in place of its hash.
HASH: Final = ("api_keys", "key_hash")


class ReportLines(ABC):
    """Takes what became of rows."""

    def quarantine(self, table: str, row: int | str, fate: Quarantined, values: Mapping[str, Stored]) -> None:
        """Note a row that waits, with all it has."""
        shown = {name: _shown((table, name), value) for name, value in values.items()}
        line = {"table": table, "rowid": row, "reason": fate.reason, "field": fate.field, "values": shown}
        self.write("quarantine", line)

    def repair(self, table: str, row: int | str, new_id: str, repair: Repair) -> None:
        """Note what was changed."""
        place = (table, repair.field)
        new = WITHHELD["class"] if _is_secret(place, repair.new) else as_new(repair.new)
        changed = {"field": repair.field, "old": _shown(place, repair.old), "new": new, "rule": repair.rule}
        self.write("repairs", {"table": table, "rowid": row, "id": new_id, **changed})

    def mapping(self, table: str, old: Stored, new_id: str) -> None:
        """Note which id became which."""
        self.write("id_map", {"table": table, "source_id": as_stored(old), "target_id": new_id})

    @abstractmethod
    def write(self, name: str, line: Mapping[str, Any]) -> None:
        """Take a line of one of the files."""


def _shown(place: tuple[str, str], value: Stored) -> Mapping[str, Any]:
    return WITHHELD if _is_secret(place, value) else as_stored(value)


def _is_secret(place: tuple[str, str], value: object) -> bool:
    """Tell whether a value is a key itself, of 1.0 or as a person wrote it: it is not repeated."""
    return place == HASH and is_open_key(value)
