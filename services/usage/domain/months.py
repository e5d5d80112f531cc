"""Months by their first days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date


def month_of(day: date) -> date:
    """Return the first day of the month."""
    return day.replace(day=1)


def months_from(day: date, ahead: int) -> Iterator[date]:
    """Yield the month of `day` and the `ahead` months after it."""
    for months in range(ahead + 1):
        years, month = divmod(day.month - 1 + months, 12)
        yield date(day.year + years, month + 1, 1)
