"""Material of an even user for tests: 56 days and today, each hour and model alike, in which no pattern shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from services.usage.catalog_facts.domain.facts import Facts
from services.usage.insights.domain.material import DayUse, HourUse, Material, MinuteUse
from services.usage.tests.catalog_facts.models import CHEAP, DEAR, facts

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY: Final = NOW.date()
ROUBLE: Final = 1_000_000
PRO: Final = facts("gigachat-pro", provider="gigachat", version="")
FACTS: Final = Facts([DEAR, CHEAP, PRO])


def day_use(day: date = TODAY, **changes: Any) -> DayUse:
    """Return a day of one key and model: 20 requests of 200 + 100 tokens for 2 roubles."""
    even = DayUse(
        day=day,
        key_id="key-1",
        provider="yandexgpt",
        model="yandexgpt:latest",
        requests=20,
        errors=0,
        tokens_input=4000,
        tokens_output=2000,
        cost_micro_rub=2 * ROUBLE,
    )
    return replace(even, **changes)


def days(count: int = 57, *, before: int = 0, **changes: Any) -> list[DayUse]:
    """Return alike days, the newest `before` days before today."""
    newest = TODAY - timedelta(days=before)
    return [day_use(newest - timedelta(days=number), **changes) for number in range(count)]


def hours(costs: Sequence[int] = (ROUBLE,) * 7, weights: Sequence[int] = (1,) * 24) -> list[HourUse]:
    """Return 28 days of hours; a day of the week costs `costs`, an hour (UTC) has `weights` requests."""
    start = NOW.replace(hour=0) - timedelta(days=28)
    moments = [start + timedelta(hours=number) for number in range(28 * 24)]
    return [HourUse(hour, weights[hour.hour], costs[hour.weekday()]) for hour in moments if weights[hour.hour]]


def material(**changes: Any) -> Material:
    """Return the even user's material with changes."""
    given: dict[str, Any] = {
        "now": NOW,
        "zone": "UTC",
        "facts": FACTS,
        "hours": hours(),
        "days": days(),
        "minutes": MinuteUse(minutes=40_320, requests=40_320, squares=80_640, p99=4),
    }
    return Material(**{**given, **changes})
