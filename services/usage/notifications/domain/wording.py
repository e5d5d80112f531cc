"""Writes events as texts in the reader's language, with localised amounts and dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.usage.domain.days import day_in, moment_in
from services.usage.domain.numerals import NO_BREAK, whole_number
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.person import Person
from services.usage.notifications.domain.texts import ANY_BUDGET, BUDGETS, CHANNELS, LIKELY, NOTHING, TEXTS

MICRO: Final = 1_000_000
LONGEST_SUBJECT: Final = 200
LONGEST_TEXT: Final = 4000
_BLANKS: Final = re.compile(rf"[^\S{NO_BREAK}]+")
# The name in a text and the fact that it shows, where they differ: the API's names say the unit.
MONEY: Final = {
    "spent": "spent_micro_rub",
    "limit": "limit_micro_rub",
    "cost": "cost_micro_rub",
    "cost_before": "cost_before_micro_rub",
}
MOMENTS: Final = {
    "ends": "period_ends_at",
    "reached": "reached_on",
    "earliest": "earliest_on",
    "latest": "latest_on",
    "expires": "expires_at",
    "since": "failing_since",
    "shutdown": "shutdown_date",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """A subject of one line, and a text."""

    subject: str
    text: str


def worded(event: Event, person: Person) -> Wording:
    """Return the event as the person reads it."""
    subject, text = TEXTS[event.kind, person.language]
    values = _Values(event, person)
    one_line = _BLANKS.sub(" ", subject.format_map(values)).strip()
    return Wording(one_line[:LONGEST_SUBJECT], text.format_map(values)[:LONGEST_TEXT])


class _Values(dict[str, str]):
    """The facts of an event by their names in texts; one that is missing reads as none."""

    def __init__(self, event: Event, person: Person) -> None:
        super().__init__()
        self._facts = event.facts
        self._person = person

    def __missing__(self, name: str) -> str:
        if name in MONEY:
            return money(int(self._facts.get(MONEY[name], 0)), self._person.language)
        if name in MOMENTS:
            return self._moment(self._facts.get(MOMENTS[name]))
        if name == "summary":
            return str(self._facts.get(f"summary_{self._person.language}") or self._facts.get("summary", ""))
        if name in ("likely", "budget", "channel"):
            return {"likely": self._likely, "budget": self._budget, "channel": self._channel}[name]()
        found = self._facts.get(name)
        if isinstance(found, int):
            return whole_number(found, self._person.language)
        return NOTHING[self._person.language] if found in (None, "") else str(found)

    def _likely(self) -> str:
        """Return between which days it may be, where that is known; nothing where it is not."""
        if not self._facts.get("earliest_on"):
            return ""
        return LIKELY[self._person.language, bool(self._facts.get("latest_on"))].format_map(self)

    def _budget(self) -> str:
        """Return whose budget it is."""
        language, subject = self._person.language, str(self._facts.get("subject", ""))
        kind, _, id = subject.partition(":")
        name = self["name"]
        return BUDGETS.get((language, kind), ANY_BUDGET[language]).format(name=id if name == subject else name)

    def _channel(self) -> str:
        """Return what a channel is called; one without a name is told of by its kind."""
        return CHANNELS.get((self._person.language, self["name"]), self["name"])

    def _moment(self, given: Any) -> str:
        if not given:
            return NOTHING[self._person.language]
        if len(str(given)) == len("2026-11-29"):
            return day_in(self._person.language, date.fromisoformat(str(given)))
        local = datetime.fromisoformat(str(given)).astimezone(zone_of(self._person.time_zone))
        return f"{moment_in(self._person.language, local)} ({self._person.time_zone})"


def money(micro_rub: int, language: str) -> str:
    """Return roubles and kopecks, rounded to the nearest: 1 234,57 ₽ or ₽1,234.57."""
    kopecks = (abs(micro_rub) + MICRO // 200) // (MICRO // 100)
    sign = "-" if micro_rub < 0 and kopecks else ""
    whole = whole_number(kopecks // 100, language)
    if language == "ru":
        return f"{sign}{whole},{kopecks % 100:02}{NO_BREAK}₽"
    return f"{sign}₽{whole}.{kopecks % 100:02}"


def roubles(micro_rub: int) -> str:
    """Return roubles as programs read them, exact: 1234.567890."""
    sign = "-" if micro_rub < 0 else ""
    return f"{sign}{abs(micro_rub) // MICRO}.{abs(micro_rub) % MICRO:06}"


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """Return the zone of an IANA name; one that this machine does not know counts as UTC."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
