"""Excel: a sheet of totals, and sheets of rows. Texts are never formulas or links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from services.usage.reports.domain.head import Head
from services.usage.reports.domain.summary import FIGURES, Section, Summary, cells_of
from services.usage.reports.domain.tables import Cell, CellRow, CellType, Column
from services.usage.reports.domain.words import word

# What a sheet of Excel holds.
SHEET_ROWS: Final = 1_048_576
MICRO: Final = 1_000_000
# Sheets of a million rows with long tags get past 2 GiB, which takes ZIP64; where they do not, nothing changes.
_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "use_zip64": True,
}
_FORMATS: Final = {
    CellType.TEXT: {},
    CellType.INTEGER: {"num_format": "#,##0"},
    CellType.ROUBLES: {"num_format": "#,##0.00####"},
    CellType.MOMENT: {"num_format": "yyyy-mm-dd hh:mm:ss.000"},
}
_WIDTHS: Final = {CellType.TEXT: 26, CellType.INTEGER: 14, CellType.ROUBLES: 16, CellType.MOMENT: 24}


class PlainSheet(Worksheet):  # type: ignore[misc]
    """A sheet whose texts are never markup: the library puts `<r>…</r>` into the XML as it is."""

    def _xml_rich_inline_string(self, string: str, attributes: Any = ()) -> None:
        self._xml_inline_string(string, False, attributes)


class Book:
    """A workbook whose bytes depend only on its content."""

    def __init__(self, file: BinaryIO, head: Head, scratch: str) -> None:
        """Begin; `scratch` is a folder for what does not fit into memory."""
        self.head = head
        self.language = head.order.wishes.language
        self._book = Workbook(file, {**_OPTIONS, "tmpdir": scratch})
        created = head.taken_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        self._book.set_properties({"title": head.title, "subject": head.order.user_id, "created": created})
        self._bold = self._book.add_format({"bold": True})
        self._formats = {kind: self._book.add_format(given) for kind, given in _FORMATS.items()}
        self._totals = {kind: self._book.add_format({**given, "bold": True}) for kind, given in _FORMATS.items()}

    def sheet(self, name: str) -> Any:
        """Return a new sheet."""
        return self._book.add_worksheet(name, PlainSheet)

    def write_facts(self, sheet: Any) -> int:
        """Write title and facts; return the next free row."""
        sheet.set_column(0, 0, 28)
        sheet.write_string(0, 0, self.head.title, self._bold)
        facts = list(self.head.facts())
        for number, (label, value) in enumerate(facts, 1):
            sheet.write_string(number, 0, label)
            sheet.write_string(number, 1, value)
        return len(facts) + 2

    def write_titles(self, sheet: Any, columns: Sequence[Column], row: int = 0) -> None:
        """Write the line above the rows; it stays in sight."""
        for number, column in enumerate(columns):
            sheet.set_column(number, number, _WIDTHS[column.type])
            sheet.write_string(row, number, column.title(self.language), self._bold)
        if not row:
            sheet.freeze_panes(1, 0)

    def write_row(self, sheet: Any, row: int, columns: Sequence[Column], cells: CellRow, *, last: bool = False) -> None:
        """Write a row; the last one is that of the totals."""
        formats = self._totals if last else self._formats
        for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
            if cell is not None:
                _WRITE[column.type](sheet)(row, number, _cell(column, cell), formats[column.type])

    def close(self) -> None:
        """Write the file."""
        self._book.close()


_WRITE: Final[dict[CellType, Callable[[Any], Callable[..., Any]]]] = {
    CellType.TEXT: lambda sheet: sheet.write_string,
    CellType.INTEGER: lambda sheet: sheet.write_number,
    CellType.ROUBLES: lambda sheet: sheet.write_number,
    CellType.MOMENT: lambda sheet: sheet.write_datetime,
}


def _cell(column: Column, cell: Cell) -> Any:
    if column.type is CellType.ROUBLES and isinstance(cell, int):
        # 15 digits: exact to the micro-rouble below a thousand million roubles.
        return cell / MICRO
    return cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell


class XlsxRows:
    """Rows on as many sheets as they need, after a sheet with the header."""

    def __init__(self, file: BinaryIO, head: Head, columns: Sequence[Column], scratch: str) -> None:
        self._columns = columns
        self._book = Book(file, head, scratch)
        self._book.write_facts(self._book.sheet(word("totals", self._book.language)))
        self._sheets = 0
        self._row = SHEET_ROWS

    def add(self, rows: Sequence[CellRow]) -> None:
        """Write some rows."""
        for row in rows:
            self._write(row)

    def finish(self, totals: CellRow) -> None:
        """Write the totals."""
        self._write(totals, last=True)
        self._book.close()

    def _write(self, row: CellRow, *, last: bool = False) -> None:
        if self._row >= SHEET_ROWS:
            self._turn_page()
        self._book.write_row(self._sheet, self._row, self._columns, row, last=last)
        self._row += 1

    def _turn_page(self) -> None:
        self._sheets += 1
        self._sheet: Any = self._book.sheet(f"{word('sheet', self._book.language)} {self._sheets}")
        self._book.write_titles(self._sheet, self._columns)
        self._row = 1


def write_xlsx(file: BinaryIO, summary: Summary, scratch: str) -> None:
    """Write a summary: a sheet of totals and one for each section."""
    book = Book(file, Head(summary.order, summary.taken_at), scratch)
    _write_totals(book, summary)
    for section in summary.sections:
        _write_section(book, section, summary)
    book.close()


def _write_totals(book: Book, summary: Summary) -> None:
    sheet, columns = book.sheet(word("totals", book.language)), _named(FIGURES)
    row = book.write_facts(sheet)
    book.write_titles(sheet, columns, row)
    book.write_row(sheet, row + 1, columns, (word("total", book.language), *cells_of(summary.totals)), last=True)
    book.write_row(sheet, row + 2, columns, (word("previous", book.language), *cells_of(summary.previous)))


def _write_section(book: Book, section: Section, summary: Summary) -> None:
    sheet, columns = book.sheet(word(section.name, book.language)), _named(FIGURES)
    book.write_titles(sheet, columns)
    for number, line in enumerate(section.lines, 1):
        book.write_row(sheet, number, columns, (line.name, *cells_of(line.figures)))
    totals = (word("total", book.language), *cells_of(summary.totals))
    book.write_row(sheet, len(section.lines) + 1, columns, totals, last=True)


def _named(columns: Iterable[Column]) -> tuple[Column, ...]:
    return (Column("name"), *columns)
