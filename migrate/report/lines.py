"""Lines of the report: how they say a fate; where they go is another's affair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from migrate.fates.fate import Quarantined, Repair
from migrate.report.values import as_new, as_stored
from migrate.rules.verdict import Stored

# The key itself lay open in the source: it is not repeated.
WITHHELD: Final = ("open_key_hashed",)


class ReportLines(ABC):
    """Takes what became of rows."""

    def quarantine(self, table: str, row: int | str, fate: Quarantined, values: Mapping[str, Stored]) -> None:
        """Note a row that waits, with all it has."""
        shown = {name: as_stored(value) for name, value in values.items()}
        line = {"table": table, "rowid": row, "reason": fate.reason, "field": fate.field, "values": shown}
        self.write("quarantine", line)

    def repair(self, table: str, row: int | str, new_id: str, repair: Repair) -> None:
        """Note what was changed."""
        old = {"class": "withheld"} if repair.rule in WITHHELD else as_stored(repair.old)
        changed = {"field": repair.field, "old": old, "new": as_new(repair.new), "rule": repair.rule}
        self.write("repairs", {"table": table, "rowid": row, "id": new_id, **changed})

    def mapping(self, table: str, old: Stored, new_id: str) -> None:
        """Note which id became which."""
        self.write("id_map", {"table": table, "source_id": as_stored(old), "target_id": new_id})

    @abstractmethod
    def write(self, name: str, line: Mapping[str, Any]) -> None:
        """Take a line of one of the files."""
