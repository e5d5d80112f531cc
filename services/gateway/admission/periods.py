"""Budget periods in UTC: their keys, when they began, when they end. `admit.lua` computes the same keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.gateway.admission.request import Budget, BudgetPeriod

MICROSECONDS = 1_000_000
DAY_S = 86_400


def moment(now_us: int) -> datetime:
    """Return Redis time as an aware datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)


def details_key(user_id: str) -> str:
    """Return the key that names a user's slot and from which the scripts derive all others."""
    return f"gw:{{{user_id}}}:d"


def budget_key(user_id: str, budget: Budget, now_us: int) -> str:
    """Return the key of a budget's counters in the period that contains `now_us`."""
    label = ""
    if budget.period is BudgetPeriod.DAY:
        label = str(now_us // (DAY_S * MICROSECONDS))
    elif budget.period is BudgetPeriod.MONTH:
        at = moment(now_us)
        label = str(at.year * 12 + at.month - 1)
    return f"gw:{{{user_id}}}:b:{budget.subject}:{budget.period}{label}"


def parse_budget_key(key: str) -> tuple[str, str, datetime | None]:
    """Return user, subject and start of the period that a budget key names (None: all time)."""
    user_id, _, rest = key.removeprefix("gw:{").partition("}:b:")
    subject, _, period = rest.rpartition(":")
    number = int(period[1:] or 0)
    if period[0] == BudgetPeriod.DAY:
        return user_id, subject, moment(number * DAY_S * MICROSECONDS)
    if period[0] == BudgetPeriod.MONTH:
        return user_id, subject, datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return user_id, subject, None


def is_current(key: str, now_us: int) -> bool:
    """Tell whether the period that a budget key names contains `now_us`."""
    user_id, subject, _ = parse_budget_key(key)
    period = BudgetPeriod(key.rpartition(":")[2][0])
    return key == budget_key(user_id, Budget(subject, period, 0), now_us)


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
