"""CSV: RFC 4180, or the dialect that a Russian Excel reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import BinaryIO, Final, cast

from servicekit.spreadsheets.formulas import without_formulas
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.tables import Cell, CellRow, CellType, Column, amount

BYTE_ORDER_MARK: Final = "\ufeff"
Encode = Callable[[Cell], str]


class CsvRows:
    """One line for each row, below a line of names; no text cell begins a formula."""

    def __init__(self, file: BinaryIO, head: Head, columns: Sequence[Column]) -> None:
        dialect, language = head.order.wishes.csv, head.order.wishes.language
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        if dialect.byte_order_mark:
            self._text.write(BYTE_ORDER_MARK)
        self._csv = csv.writer(self._text, delimiter=dialect.separator, lineterminator="\r\n")
        self._csv.writerow([column.title(language) if dialect.titles else column.name for column in columns])
        encoders = _encoders(decimal_comma=dialect.decimal_comma)
        self._encode = [encoders[column.type] for column in columns]

    def add(self, rows: Sequence[CellRow]) -> None:
        """Write some rows."""
        self._csv.writerows(map(self._line, rows))

    def finish(self, totals: CellRow) -> None:
        """Write the totals."""
        self._csv.writerow(self._line(totals))
        # The file is somebody else's to close.
        self._text.detach()

    def _line(self, row: CellRow) -> list[str]:
        cells = zip(self._encode, row, strict=True)
        return ["" if cell is None else encode(cell) for encode, cell in cells]


def _encoders(*, decimal_comma: bool) -> dict[CellType, Encode]:
    return {
        CellType.TEXT: lambda cell: without_formulas(cast("str", cell)),
        CellType.INTEGER: str,
        CellType.ROUBLES: _amount_with_comma if decimal_comma else lambda cell: amount(cast("int", cell)),
        CellType.MOMENT: lambda cell: cast("datetime", cell).isoformat(timespec="milliseconds"),
    }


def _amount_with_comma(cell: Cell) -> str:
    return amount(cast("int", cell)).replace(".", ",")
