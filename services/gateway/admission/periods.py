"""Budget periods in UTC: their numbers, when they end. `redis/shared.lua` computes the same numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.gateway.admission.request import BudgetPeriod

MICROSECONDS = 1_000_000
DAY_S = 86_400


def moment(now_us: int) -> datetime:
    """Return Redis time as an aware datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)


def label_of(period: BudgetPeriod, now_us: int) -> str:
    """Return the number of the period that contains `now_us`: days since 1970, months since year 0, "" for all time."""
    if period is BudgetPeriod.DAY:
        return str(now_us // (DAY_S * MICROSECONDS))
    if period is BudgetPeriod.MONTH:
        at = moment(now_us)
        return str(at.year * 12 + at.month - 1)
    return ""


def seconds_left(period: BudgetPeriod, now_us: int) -> float | None:
    """Return when the period ends, in seconds from now; None: never."""
    at = moment(now_us)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if period is BudgetPeriod.DAY:
        return (midnight + timedelta(days=1) - at).total_seconds()
    if period is BudgetPeriod.MONTH:
        next_month = (midnight.replace(day=28) + timedelta(days=4)).replace(day=1)
        return (next_month - at).total_seconds()
    return None
