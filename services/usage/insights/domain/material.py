"""The input of pattern detection: sums of one user's rows. Money in micro-roubles, moments aware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from services.usage.catalog_facts.domain.facts import Facts
from services.usage.forecasting.domain.course import Course
from services.usage.insights.domain.incident import Incident

WINDOW_DAYS: Final = 28
LEAST_DAYS: Final = 7
"""What a few days cost is no month's."""
MONTH_DAYS: Final = 30
USED_DAYS: Final = 14
"""A model that was not asked for so long is not in use any more."""
LONG_INPUT_TOKENS: Final = 8000
LONG_OUTPUT_TOKENS: Final = 200
"""A call from long to short has more of input and fewer of output."""
AT_TEMPERATURE_0: Final = 2
"""The bit of a row's traits that says that the same prompt has the same answer."""


def window_begins(now: datetime) -> datetime:
    """Return the first moment of the window that ends now."""
    return now - timedelta(days=WINDOW_DAYS)


def first_day(now: datetime) -> date:
    """Return the first UTC day of the two windows that end with yesterday."""
    return now.date() - timedelta(days=2 * WINDOW_DAYS)


def monthly(micro_rub: int, days: int) -> int:
    """Return what an amount of so many days is in a month."""
    return micro_rub * MONTH_DAYS // days


@dataclass(frozen=True, slots=True)
class HourUse:
    """An hour in which there were requests."""

    hour: datetime
    requests: int
    cost_micro_rub: int


@dataclass(frozen=True, slots=True)
class DayUse:
    """What one key did with one model on one UTC day; `errors` are requests that failed."""

    day: date
    key_id: str
    provider: str
    model: str
    requests: int
    errors: int
    tokens_input: int
    tokens_output: int
    cost_micro_rub: int


@dataclass(frozen=True, slots=True)
class MinuteUse:
    """How requests are spread over the minutes of the hours in which there were any.

    Attributes:
        minutes: of those hours.
        requests: all.
        squares: the sum of the squares of each minute's requests.
        p99: requests of a minute that one of a hundred exceeds, of those that have any.
    """

    minutes: int = 0
    requests: int = 0
    squares: int = 0
    p99: int = 0


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Calls of one model, counted by their shape.

    Attributes:
        input_p95: tokens of input that one call of twenty exceeds.
        near_window: calls whose input fills more than 80 % of the window.
        long_to_short: calls of more than 8,000 tokens of input and fewer than 200 of output, and what they cost.
        cut: answers that ended at max_tokens, and what they cost.
        short: calls of fewer than 1,000 tokens of input and 300 of output, without tools, that ended by themselves.
    """

    model: str
    calls: int
    cost_micro_rub: int = 0
    input_p95: int = 0
    near_window: int = 0
    long_to_short: int = 0
    long_to_short_cost_micro_rub: int = 0
    cut: int = 0
    cut_cost_micro_rub: int = 0
    short: int = 0
    short_cost_micro_rub: int = 0
    short_tokens_input: int = 0
    short_tokens_output: int = 0
    short_tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class ErrorUse:
    """Requests of one key at one model that ended with one error, among all of that key and model."""

    key_id: str
    model: str
    code: str
    errors: int
    requests: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """Requests that were sent before, word for word, at temperature 0; `cost_micro_rub` is theirs alone."""

    requests: int = 0
    repeated: int = 0
    cost_micro_rub: int = 0


@dataclass(frozen=True, slots=True)
class Retry:
    """One request of a key that was sent with the same prompt several times."""

    key_id: str
    digest: bytes
    at: datetime
    failed: bool


@dataclass(frozen=True, slots=True)
class FirstTokens:
    """Times to the first token of one model.

    Attributes:
        requests: of every kind.
        streams: those that have a first token, and were asked first.
        quantiles: milliseconds at each of `FRACTIONS`.
    """

    provider: str
    model: str
    requests: int
    errors: int
    streams: int
    quantiles: tuple[int, ...]


# The tail around p95, finely: enough to resample p95 of 200 requests and more.
FRACTIONS: Final = tuple([round(0.85 + 0.0025 * step, 4) for step in range(61)])


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key that is active, as auth knows it."""

    key_id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A limit of money, what is spent of it, and when it begins anew."""

    name: str
    limit_micro_rub: int
    spent_micro_rub: int
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The input of pattern detection for one user.

    Attributes:
        hours: of the last 28 days.
        days: of the last 56 that are over, and today.
        keys, limits: what the edge knows; empty where nobody said.
        incidents: of the window, without those that were expected.
        course: of spending from today on, with what today has cost; None: it cannot be foretold.
    """

    now: datetime
    zone: str
    facts: Facts
    hours: Sequence[HourUse] = ()
    days: Sequence[DayUse] = ()
    minutes: MinuteUse = MinuteUse()
    models: Sequence[ModelUse] = ()
    errors: Sequence[ErrorUse] = ()
    repeats: Repeats = Repeats()
    retries: Sequence[Retry] = ()
    first_tokens: Sequence[FirstTokens] = ()
    keys: Sequence[KeyUse] = ()
    limits: Sequence[LimitUse] = ()
    course: Course | None = None
    spent_today_micro_rub: int = 0
    incidents: Sequence[Incident] = ()

    def last_days(self, count: int, *, before: int = 0) -> list[DayUse]:
        """Return the rows of the last days, today's among them, without the `before` newest days."""
        until = self.now.date() - timedelta(days=before)
        return [row for row in self.days if until - timedelta(days=count) < row.day <= until]

    def monthly(self, micro_rub: int) -> int:
        """Return what an amount of the window is in a month; of somebody who began lately it is of fewer days."""
        today = self.now.date()
        first = min((row.day for row in self.days), default=today)
        return monthly(micro_rub, min(WINDOW_DAYS, max(LEAST_DAYS, (today - first).days)))

    @property
    def models_in_use(self) -> list[ModelUse]:
        """Return the calls of models that were asked lately: of one that was left there is nothing to save."""
        asked = {row.model for row in self.last_days(USED_DAYS) if row.requests}
        return [use for use in self.models if use.model in asked]

    def full_days(self, count: int, *, before: int = 0) -> list[DayUse]:
        """Return the rows of the last days that are over, without the `before` newest of them.

        What is compared has only such: with a quarter of an hour of today for a day, nobody's week costs what it did.
        """
        return self.last_days(count, before=before + 1)

    def span(self, days: int = WINDOW_DAYS, *, before: int = 0) -> dict[str, str]:
        """Return the parameters that ask for the last days, without the `before` newest ones."""
        until = self.now.date() + timedelta(days=1 - before)
        return {"from": (until - timedelta(days=days)).isoformat(), "to": until.isoformat(), "tz": "UTC"}
