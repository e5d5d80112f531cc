"""Values of findings: their types, and how they are written in Russian and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, Protocol, TypeAlias

from services.usage.domain.days import day_in
from services.usage.domain.numerals import NO_BREAK, number_in

Locale: TypeAlias = Literal["ru", "en"]
LOCALES: Final[tuple[Locale, ...]] = ("ru", "en")
Raw: TypeAlias = int | float | str

_MICRO: Final = 1_000_000


def number(value: float, locale: Locale, digits: int = 0) -> str:
    """Return a number with its thousands parted, as the language does it."""
    return number_in(locale, f"{value:,.{digits}f}")


class Value(Protocol):
    """One figure of a finding."""

    @property
    def raw(self) -> Raw:
        """Return it for programs."""
        ...

    def text(self, locale: Locale) -> str:
        """Return it for people."""
        ...


Values: TypeAlias = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Money:
    """Micro-roubles; written in roubles, below a hundred with kopecks. `signed` writes a plus, too."""

    raw: int
    signed: bool = False

    def text(self, locale: Locale) -> str:
        """Return `1 830 ₽` or `₽1,830`."""
        amount = number(abs(self.raw) / _MICRO, locale, 0 if abs(self.raw) >= 100 * _MICRO else 2)
        sign = "−" if self.raw < 0 else "+" if self.signed else ""
        return f"{sign}₽{amount}" if locale == "en" else f"{sign}{amount}{NO_BREAK}₽"


@dataclass(frozen=True, slots=True)
class Share:
    """A fraction of one; written in percent."""

    raw: float

    def text(self, locale: Locale) -> str:
        """Return `8,4 %` or `8.4%`."""
        percent = number(self.raw * 100, locale, 0 if abs(self.raw) >= 0.1 else 1)
        return f"{percent}%" if locale == "en" else f"{percent}{NO_BREAK}%"


@dataclass(frozen=True, slots=True)
class Number:
    """A number with some decimals."""

    raw: float
    digits: int = 0

    def text(self, locale: Locale) -> str:
        """Return `34` or `0,2`."""
        return number(self.raw, locale, self.digits)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration in milliseconds; written in seconds."""

    raw: int

    def text(self, locale: Locale) -> str:
        """Return `1,9 с` or `1.9 s`."""
        return f"{number(self.raw / 1000, locale, 1)}{NO_BREAK}{'s' if locale == 'en' else 'с'}"


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day."""

    day: date

    @property
    def raw(self) -> str:
        """Return it as ISO 8601 does."""
        return self.day.isoformat()

    def text(self, locale: Locale) -> str:
        """Return `15.12.2026` or `15 Dec 2026`."""
        return day_in(locale, self.day)


@dataclass(frozen=True, slots=True)
class Name:
    """A key, model, provider or time zone: the same in every language."""

    raw: str

    def text(self, locale: Locale) -> str:
        """Return it as it is."""
        return self.raw


_PERIODS: Final[Mapping[str, str]] = {"day": "день", "week": "неделя", "month": "месяц"}


@dataclass(frozen=True, slots=True)
class PeriodName:
    """The period of a budget, by its name in the API."""

    raw: str

    def text(self, locale: Locale) -> str:
        """Return `месяц` or `month`; one that only another version knows as it is."""
        return _PERIODS.get(self.raw, self.raw) if locale == "ru" else self.raw


NOUNS: Final[Mapping[str, Mapping[Locale, tuple[str, ...]]]] = {
    "request": {"ru": ("запрос", "запроса", "запросов"), "en": ("request", "requests")},
    "day": {"ru": ("день", "дня", "дней"), "en": ("day", "days")},
    "series": {"ru": ("серия", "серии", "серий"), "en": ("series", "series")},
    "token": {"ru": ("токен", "токена", "токенов"), "en": ("token", "tokens")},
}


@dataclass(frozen=True, slots=True)
class Count:
    """A count of something that has a plural form."""

    raw: int
    noun: str

    def text(self, locale: Locale) -> str:
        """Return `1 240 запросов` or `1,240 requests`."""
        forms = NOUNS[self.noun][locale]
        form = forms[_russian_form(self.raw)] if locale == "ru" else forms[self.raw != 1]
        return f"{number(self.raw, locale)}{NO_BREAK}{form}"


def _russian_form(count: int) -> int:
    """Return which of the forms one, few, many (CLDR)."""
    if count % 10 == 1 and count % 100 != 11:
        return 0
    return 1 if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else 2


_WEEKDAYS: Final[Mapping[Locale, tuple[str, ...]]] = {
    "ru": ("понедельникам", "вторникам", "средам", "четвергам", "пятницам", "субботам", "воскресеньям"),
    "en": ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"),
}


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week, Monday is 0."""

    raw: int

    def text(self, locale: Locale) -> str:
        """Return `вторникам` (after «по») or `Tuesdays`."""
        return _WEEKDAYS[locale][self.raw]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day, each from 0 to 23; neighbours are written as one span, over midnight too."""

    hours: frozenset[int]

    @property
    def raw(self) -> str:
        """Return the hours, parted by commas."""
        return ",".join(map(str, sorted(self.hours)))

    def text(self, locale: Locale) -> str:
        """Return `10:00–14:00, 20:00–21:00`."""
        begins = sorted(hour for hour in self.hours if (hour - 1) % 24 not in self.hours)
        return ", ".join(f"{begin:02}:00–{self._end(begin):02}:00" for begin in begins)

    def _end(self, begin: int) -> int:
        length = next(length for length in range(1, 25) if (begin + length) % 24 not in self.hours)
        return (begin + length - 1) % 24 + 1
