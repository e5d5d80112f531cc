"""Readers of the files that come out, other programs than those that wrote them."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import openpyxl
import pypdf


def micro(text: str) -> int:
    """Return a decimal amount of roubles in micro-roubles."""
    return int(Decimal(text) * 1_000_000)


def csv_rows(content: bytes, separator: str = ",") -> list[dict[str, str]]:
    """Return the rows of a CSV by the names of its columns."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))


def book_of(content: bytes) -> Any:
    """Return a workbook."""
    return openpyxl.load_workbook(io.BytesIO(content), read_only=True)


def text_of(content: bytes) -> str:
    """Return all text of a PDF."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
