"""Cells as members of JSON objects, the same for all formats that use objects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.usage.reports.domain.summary import FIGURES, cells_of
from services.usage.reports.domain.tables import Cell, CellRow, CellType, Column, amount
from services.usage.statistics.domain.figures import Figures


def object_of(columns: Sequence[Column], row: CellRow) -> dict[str, Any]:
    """Return a row as an object; money is there twice: `cost_rub`, a decimal string, and `cost_micro_rub`."""
    members: dict[str, Any] = {}
    for column, cell in zip(columns, row, strict=True):
        members[column.name] = _value(column, cell)
        if column.type is CellType.ROUBLES:
            members[column.name.replace("_rub", "_micro_rub")] = cell
    return members


def figures_object(figures: Figures) -> dict[str, Any]:
    """Return figures as an object."""
    return object_of(FIGURES, cells_of(figures))


def _value(column: Column, cell: Cell) -> Any:
    if column.type is CellType.ROUBLES and isinstance(cell, int):
        return amount(cell)
    return cell.isoformat(timespec="milliseconds") if isinstance(cell, datetime) else cell
