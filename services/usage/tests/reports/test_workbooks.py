"""Workbooks of texts that somebody chose to be odd, and of more than a plain ZIP holds; read by another program."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from servicekit.testing.fake_clock import MIDDAY
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Format, Kind
from services.usage.reports.domain.tables import Column
from services.usage.reports.writers.xlsx import XlsxRows
from services.usage.tests.reports.files import book_of
from services.usage.tests.reports.histories import order

# What the library that writes workbooks would take for pieces of its own XML.
LIKE_MARKUP = ("<r>x</r>", "<r><t>another</t></r>", "<r>a & b</r>", "<r> c </r>", "<r", "</r>", "&lt;r&gt;")


def workbook(tmp_path, texts: Sequence[str]) -> bytes:
    """Return a workbook with a row for each text."""
    file = io.BytesIO()
    head = Head(order(Format.XLSX, Kind.REQUESTS), MIDDAY)
    writer = XlsxRows(file, head, (Column("tags"),), str(tmp_path))
    writer.add([(text,) for text in texts])
    writer.finish(("total",))
    return file.getvalue()


def test_texts_that_look_like_markup_are_texts(tmp_path):
    """A key or a tag called `<r>x</r>` went into the XML as it was: no program opened the file."""
    content = workbook(tmp_path, LIKE_MARKUP)

    rows = book_of(content).worksheets[1].iter_rows(min_row=2, values_only=True)
    assert [row[0] for row in rows] == [*LIKE_MARKUP, "total"]


def test_a_sheet_may_be_larger_than_a_plain_zip_holds(tmp_path, monkeypatch):
    """A million rows with long tags are more than 2 GiB before they are packed: the report failed at its end."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100_000)
    texts = [f"{number} {'x' * 1_000}" for number in range(200)]

    content = workbook(tmp_path, texts)

    rows = book_of(content).worksheets[1].iter_rows(min_row=2, values_only=True)
    assert [row[0] for row in rows] == [*texts, "total"]
