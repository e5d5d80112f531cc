"""Columns and their types: the column decides how a cell is written, never its text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import TypeAlias

from services.usage.reports.domain.order import Language
from services.usage.reports.domain.words import word

# By column: TEXT str, INTEGER int, ROUBLES int (micro-roubles), MOMENT datetime in the report's zone; None: nothing.
Cell: TypeAlias = str | int | datetime | None
CellRow: TypeAlias = tuple[Cell, ...]


class CellType(Enum):
    """The type of a column's cells."""

    TEXT = auto()
    INTEGER = auto()
    ROUBLES = auto()
    MOMENT = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: in CSV, JSON and Parquet, the same in every language.
        type: of its cells.
        title_key: of its title in `words`.
    """

    name: str
    type: CellType = CellType.TEXT
    title_key: str = ""

    def title(self, language: Language) -> str:
        """Return what people read above it."""
        return word(self.title_key or self.name, language)


def amount(micro_rub: int) -> str:
    """Return micro-roubles as decimal roubles, exactly."""
    sign = "-" if micro_rub < 0 else ""
    return f"{sign}{abs(micro_rub) // 1_000_000}.{abs(micro_rub) % 1_000_000:06d}"
