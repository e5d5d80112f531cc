"""Amounts, dates and times as people of the report's language write them; machine formats use those of `tables`."""

from __future__ import annotations

from datetime import date
from typing import Final

from services.usage.domain.days import day_in, month_in, short_day_in
from services.usage.domain.numerals import whole_number
from services.usage.reports.domain.order import Language

# Before a point there are roubles; behind it six places, to the micro-rouble.
PLACES: Final = 6
MICRO: Final = 10**PLACES
_MONTH: Final = len("2027-01")


def roubles(micro_rub: int, language: Language, *, least_places: int = PLACES) -> str:
    """Return micro-roubles as roubles, exactly: 1 234,500000 or 1,234.500000; with no fewer places than said."""
    whole, rest = divmod(abs(micro_rub), MICRO)
    places = f"{rest:06d}".rstrip("0").ljust(least_places, "0")
    comma = "," if language is Language.RU else "."
    sign = "−" if micro_rub < 0 else ""
    return f"{sign}{whole_number(whole, language)}{comma if places else ''}{places}"


def day(name: str, language: Language) -> str:
    """Return a day or month that is called as ISO 8601 does: 31.01.2027 and 01.2027, or 31 Jan 2027 and Jan 2027."""
    return month_in(language, _first(name)) if len(name) == _MONTH else day_in(language, date.fromisoformat(name))


def short_day(name: str, language: Language) -> str:
    """Return what a day is called below its column; months need their year."""
    return day(name, language) if len(name) == _MONTH else short_day_in(language, date.fromisoformat(name))


def _first(month: str) -> date:
    return date.fromisoformat(f"{month}-01")
