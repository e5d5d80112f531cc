"""The interface of writers of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.usage.reports.domain.tables import CellRow


class RowWriter(Protocol):
    """Writes a table of any length in constant memory."""

    def add(self, rows: Sequence[CellRow]) -> None:
        """Write some rows."""
        ...

    def finish(self, totals: CellRow) -> None:
        """Write the last row and whatever ends the file, which stays open."""
        ...
