"""Numbers, roubles, shares, times and plurals as people of a language write them: by Unicode's CLDR, with Babel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent, parse_pattern

from services.gateway.edge.money import MICRO, micro_rub_of

BLANKS: Final = str.maketrans("", "", " \u00a0\u202f")
ABSENT: Final = "–"
# English of Europe: a day before its month, and no noon and midnight at twelve.
LOCALES: Final = {"ru": "ru", "en": "en_GB"}
# A date of numbers is read at once in Russian; in English nobody knows which of them is the month.
MOMENTS: Final = {"ru": "dd.MM.yyyy HH:mm", "en": "d MMM y, HH:mm"}
DAYS: Final = {"ru": "dd.MM.yyyy", "en": "d MMM y"}
# The same on an axis, by the buckets of a chart; with the year where it shows more than one.
BUCKETS: Final = {
    "ru": {"hour": "dd.MM HH:mm", "day": "dd.MM", "week": "dd.MM", "month": "MM.yyyy"},
    "en": {"hour": "d MMM HH:mm", "day": "d MMM", "week": "d MMM", "month": "MMM y"},
}
YEARS: Final = {"ru": "dd.MM.yy", "en": "d MMM yy"}
# With the sign where a language writes it.
ROUBLES: Final = {"ru": "{sign}{amount}\u00a0₽", "en": "{sign}₽{amount}"}
MINUS: Final = "−"
# Babel takes a pattern apart for each number, which is a third of writing it.
_pattern: Final = lru_cache(maxsize=64)(parse_pattern)


class Numbers:
    """Writes figures in one language."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._locale = Locale.parse(LOCALES[language])

    def roubles(self, micro_rub: int) -> str:
        """Return an amount: whole roubles, or with kopecks when there are any."""
        return self._roubles(micro_rub, "#,##0.00" if micro_rub % MICRO else "#,##0")

    def exact_roubles(self, micro_rub: int) -> str:
        """Return an amount to its last micro-rouble: of one request, which often costs less than a kopeck."""
        return self._roubles(micro_rub, "#,##0.00####")

    def fine_roubles(self, micro_rub: int) -> str:
        """Return an amount to its last micro-rouble with four places at least, so that a column of them is in line."""
        return self._roubles(micro_rub, "#,##0.0000##")

    def fine_roubles_text(self, amount: str) -> str:
        """Return an amount as the API writes it, to its last figure, with four places at least."""
        return self._written(Decimal(amount), "#,##0.0000#####")

    def roubles_text(self, amount: str) -> str:
        """Return an amount as the API writes it ("0.001234"), to its last figure."""
        places = len(amount.partition(".")[2])
        return self._roubles(int(Decimal(amount) * MICRO), f"#,##0.{'0' * places}" if places else "#,##0")

    def number(self, value: int) -> str:
        """Return a whole number, its thousands apart."""
        return str(format_decimal(value, _pattern("#,##0"), locale=self._locale))

    def milliseconds(self, value: float | None) -> str:
        """Return how long something took."""
        unit = "мс" if self._language == "ru" else "ms"
        return ABSENT if value is None else f"{self.number(round(value))}\u00a0{unit}"

    def percent(self, share: float) -> str:
        """Return a part of one in per cent, with one place where it is not whole; no more than none, less than all."""
        return self._part(share, "#,##0.#", Decimal("0.001"))

    def percent_exact(self, share: float) -> str:
        """Return a part of one in per cent with two places: 99.99 is not 100."""
        return self._part(share, "#,##0.##", Decimal("0.0001"))

    def signed_roubles(self, micro_rub: int) -> str:
        """Return a change of an amount."""
        return f"+{self.roubles(micro_rub)}" if micro_rub > 0 else self.roubles(micro_rub)

    def signed_percent(self, change: float) -> str:
        """Return a change that the API tells in per cent."""
        text = self._percent(change / 100, "#,##0.#")
        return f"+{text}" if change > 0 else text

    def moment(self, when: datetime | None, zone: tzinfo) -> str:
        """Return a day and a time in a zone."""
        if when is None:
            return ABSENT
        return str(format_datetime(in_zone(when, zone), MOMENTS[self._language], locale=self._locale))

    def day(self, text: str) -> str:
        """Return a day that the API tells ("2027-01-31")."""
        return str(format_date(date.fromisoformat(text), DAYS[self._language], locale=self._locale))

    def buckets(self, starts: Sequence[datetime], bucket: str) -> list[str]:
        """Return what buckets are called that begin at these moments, as the clocks of their zone show them."""
        years = {start.year for start in starts}
        pattern = BUCKETS[self._language][bucket]
        if len(years) > 1 and bucket in ("day", "week"):
            pattern = YEARS[self._language]
        return [str(format_datetime(start, pattern, locale=self._locale)) for start in starts]

    def plural(self, count: int) -> str:
        """Return which form a noun has beside a count: one, few, many or other."""
        return str(self._locale.plural_form(count))

    def _roubles(self, micro_rub: int, pattern: str) -> str:
        return self._written(Decimal(micro_rub) / MICRO, pattern)

    def _written(self, roubles: Decimal, pattern: str) -> str:
        amount = format_decimal(abs(roubles), _pattern(pattern), locale=self._locale)
        return ROUBLES[self._language].format(sign=MINUS if roubles < 0 else "", amount=amount)

    def _part(self, share: float, pattern: str, least: Decimal) -> str:
        """Return a share to the nearest `least`; one that is not 0 or 1 is not written as if it were."""
        rounded = Decimal(str(share)).quantize(least)
        if 0 < share < 1 and rounded == 0:
            return f"<{self._percent(float(least), pattern)}"
        if 0 < share < 1 and rounded == 1:
            return f">{self._percent(float(1 - least), pattern)}"
        return self._percent(share, pattern)

    def _percent(self, share: float, pattern: str) -> str:
        blank = "\u00a0" if self._language == "ru" else ""
        # A share of 0.9999 is a float: its shortest decimal is what was meant.
        text = format_percent(Decimal(str(share)), _pattern(f"{pattern}{blank}%"), locale=self._locale)
        return str(text).replace("-", MINUS)


def in_zone(when: datetime, zone: tzinfo) -> datetime:
    """Return a moment as the clocks of a zone show it; as those of UTC, where the zone's would show the year 10000.

    A key that ends on the last second of 9999 is how many programs write "never".
    """
    try:
        return when.astimezone(zone)
    except OverflowError:
        return when.astimezone(UTC)


@lru_cache(maxsize=len(LOCALES))
def numbers_of(language: str) -> Numbers:
    """Return what writes figures in a language."""
    return Numbers(language)


def typed_micro_rub(text: str) -> int | None:
    """Return an amount such as "1 500 ₽" or "99,90" in micro-roubles; "" is 0, None is no amount, or one too large."""
    bare = text.strip().translate(BLANKS).removesuffix("₽")
    return micro_rub_of(bare.replace(",", ".")) if bare else 0
