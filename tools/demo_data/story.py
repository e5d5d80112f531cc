"""What happened in the ninety days: which requests, when and by which key. The same seed tells the same story."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Moscow")
DAYS: Final = 90
WEEKDAYS: Final = (1.0, 1.15, 1.1, 1.05, 0.95, 0.35, 0.3)
# Requests in each hour of a working day, beside each other.
HOURS: Final = (1, 1, 1, 1, 1, 2, 3, 6, 12, 20, 26, 28, 24, 22, 24, 22, 18, 14, 9, 6, 5, 4, 3, 2)
# From the first day on the business is larger; on the second a loop ran wild.
SHIFT_DAYS_AGO: Final = 60
SHIFT: Final = 1.3
ANOMALY_DAYS_AGO: Final = 20
ANOMALY: Final = 4.5
OLD_CI_UNTIL_DAYS_AGO: Final = 50


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work that a key does.

    Attributes:
        key: its name.
        model: id with version.
        a_day: requests on an ordinary working day.
        tokens_in, tokens_out: medians.
        first_token_ms: median.
        cached: share of the input that the provider had cached.
        tag: of the caller's metadata, `team=…`.
    """

    key: str
    model: str
    a_day: float
    tokens_in: int
    tokens_out: int
    first_token_ms: int
    cached: float = 0.0
    tag: str = ""


SHOP: Final = "demo: shop"
SUPPORT: Final = "demo: support"
OLD_CI: Final = "demo: old ci"
WORKS: Final = (
    Work(SHOP, "yandexgpt-lite:latest", 70, 180, 60, 320, tag="shop"),
    Work(SHOP, "yandexgpt:latest", 45, 320, 110, 620, tag="shop"),
    Work(SUPPORT, "gigachat-pro", 28, 2_400, 260, 1_100, cached=0.4, tag="support"),
    Work(SUPPORT, "yandexgpt:deprecated", 8, 900, 200, 800, tag="support"),
    Work(OLD_CI, "yandexgpt-lite:latest", 12, 700, 40, 330, tag="ci"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the story."""

    at: datetime
    work: Work
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    first_token_ms: int
    latency_ms: int
    has_failed: bool


def calls(today: date, seed: str) -> Iterator[Call]:
    """Yield the requests of the ninety days before `today`, day by day."""
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    for ago in range(DAYS, 0, -1):
        day = today - timedelta(days=ago)
        for work in WORKS:
            for _ in range(_count(rng, work, day, ago)):
                yield _call(rng, work, day)


def _count(rng: random.Random, work: Work, day: date, ago: int) -> int:
    if work.key == OLD_CI and ago < OLD_CI_UNTIL_DAYS_AGO:
        return 0
    expected = work.a_day * WEEKDAYS[day.weekday()] * (SHIFT if ago <= SHIFT_DAYS_AGO else 1.0)
    if ago == ANOMALY_DAYS_AGO and work.model == "gigachat-pro":
        expected *= ANOMALY
    return max(0, round(rng.gauss(expected, math.sqrt(expected))))


def _call(rng: random.Random, work: Work, day: date) -> Call:
    hour = rng.choices(range(24), HOURS)[0]
    moment = time(hour, rng.randrange(60), rng.randrange(60), rng.randrange(1_000) * 1_000)
    tokens_in = _around(rng, work.tokens_in)
    has_failed = rng.random() < 0.012
    tokens_out = 0 if has_failed else _around(rng, work.tokens_out)
    first = 0 if has_failed else _around(rng, work.first_token_ms)
    latency = rng.randrange(200, 30_000) if has_failed else first + 9 * tokens_out
    cached = round(tokens_in * work.cached * rng.random())
    return Call(datetime.combine(day, moment, ZONE), work, tokens_in, tokens_out, cached, first, latency, has_failed)


def _around(rng: random.Random, median: int) -> int:
    return max(1, round(median * rng.lognormvariate(0, 0.5)))
