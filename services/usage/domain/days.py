"""Dates in the user's language, as Babel formats them on the pages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

# English of Europe, by Unicode's CLDR.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec")


def day_in(language: str, day: date) -> str:
    """Return a day: 29.11.2026 or 29 Nov 2026, for of a date of numbers nobody knows which is the month in English."""
    return f"{short_day_in(language, day)}{'.' if language == 'ru' else ' '}{day.year}"


def short_day_in(language: str, day: date) -> str:
    """Return a day without its year: 29.11 or 29 Nov."""
    return f"{day:%d.%m}" if language == "ru" else f"{day.day} {_MONTHS[day.month - 1]}"


def month_in(language: str, month: date) -> str:
    """Return a month, whichever of its days is given: 11.2026 or Nov 2026."""
    return f"{month:%m}.{month.year}" if language == "ru" else f"{_MONTHS[month.month - 1]} {month.year}"


def moment_in(language: str, local: datetime, pattern: str = "%H:%M") -> str:
    """Return a day and what the clock shows by a pattern of strftime: 29.11.2026 13:00 or 29 Nov 2026, 13:00."""
    return f"{day_in(language, local)}{'' if language == 'ru' else ','} {local.strftime(pattern)}"
