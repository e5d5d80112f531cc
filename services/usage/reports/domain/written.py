"""Figures, days and moments of a report as people of its language write them; programs get those of `tables`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.usage.domain.numerals import whole_number
from services.usage.reports.domain.order import Language

# Before a point there are roubles; behind it six places, to the micro-rouble.
PLACES: Final = 6
MICRO: Final = 10**PLACES


def roubles(micro_rub: int, language: Language, *, least_places: int = PLACES) -> str:
    """Return micro-roubles as roubles, exactly: 1 234,500000 or 1,234.500000; with no fewer places than said."""
    whole, rest = divmod(abs(micro_rub), MICRO)
    places = f"{rest:06d}".rstrip("0").ljust(least_places, "0")
    comma = "," if language is Language.RU else "."
    sign = "−" if micro_rub < 0 else ""
    return f"{sign}{whole_number(whole, language)}{comma if places else ''}{places}"


def day(name: str, language: Language) -> str:
    """Return a day or month that is called as ISO 8601 does: 31.01.2027 and 01.2027, in English as it is."""
    return ".".join(reversed(name.split("-"))) if language is Language.RU else name


def short_day(name: str, language: Language) -> str:
    """Return what a day is called below its column; months need their year."""
    if len(name) == len("2027-01"):
        return day(name, language)
    return day(name[len("2027-") :], language)


def moment(local: datetime, language: Language, pattern: str = "%H:%M") -> str:
    """Return the day and the clock: 31.01.2027 00:00, in English 2027-01-31 00:00."""
    return f"{day(local.date().isoformat(), language)} {local.strftime(pattern)}"
