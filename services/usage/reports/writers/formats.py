"""The table of formats and their writers.

What sets PDF and what makes workbooks is loaded by the first report that needs it: twenty megabytes of each instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Format, Wishes
from services.usage.reports.domain.summary import COLUMNS, Summary, cells_of, flat_rows
from services.usage.reports.domain.tables import Column
from services.usage.reports.writers.csv_rows import CsvRows
from services.usage.reports.writers.json_rows import JsonLines, JsonRows
from services.usage.reports.writers.parquet_rows import ParquetRows, check_installed
from services.usage.reports.writers.row_writer import RowWriter
from services.usage.reports.writers.summary_json import write_json


def check_writable(wishes: Wishes) -> None:
    """Do nothing when the format can be written here.

    Raises:
        InvalidRequest: what writes it is not installed.
    """
    if wishes.format is Format.PARQUET:
        check_installed()


def open_rows(file: BinaryIO, head: Head, columns: Sequence[Column], scratch: str) -> RowWriter:
    """Return a writer of rows in the report's format, which is not PDF; `scratch` is a folder for what is large."""
    match head.order.wishes.format:
        case Format.CSV:
            return CsvRows(file, head, columns)
        case Format.JSONL:
            return JsonLines(file, head, columns)
        case Format.XLSX:
            from services.usage.reports.writers.xlsx import XlsxRows

            return XlsxRows(file, head, columns, scratch)
        case Format.PARQUET:
            return ParquetRows(file, head, columns, scratch)
        case _:
            return JsonRows(file, head, columns)


def write_summary(file: BinaryIO, summary: Summary, scratch: str) -> None:
    """Write a summary in the report's format: as a whole, or as one table where a format has nothing else."""
    match summary.order.wishes.format:
        case Format.PDF:
            from services.usage.reports.writers.pdf import write_pdf

            write_pdf(file, summary)
        case Format.XLSX:
            from services.usage.reports.writers.xlsx import write_xlsx

            write_xlsx(file, summary, scratch)
        case Format.JSON:
            write_json(file, summary)
        case _:
            _write_table(file, summary, scratch)


def _write_table(file: BinaryIO, summary: Summary, scratch: str) -> None:
    writer = open_rows(file, Head(summary.order, summary.taken_at), COLUMNS, scratch)
    writer.add(list(flat_rows(summary)))
    writer.finish(("total", "", *cells_of(summary.totals)))
