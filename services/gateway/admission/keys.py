"""Names of the keys in Redis. The scripts get the same parts from `redis/conventions.py`.

Every key of a user begins with `gw:{user}:`, so that all of them lie in one slot of a cluster.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from services.gateway.admission.periods import DAY_S, MICROSECONDS, label_of, moment
from services.gateway.admission.request import Budget, BudgetPeriod

DETAILS: Final = "d"
"""Hash: request id -> what it holds. The key that a script is given; it derives all others from it."""
HOLDS: Final = "h"
"""Sorted set: request id -> Redis time until which its owner promised to be alive."""
STATE: Final = "s:"
"""Hash of one subject: its buckets and calendar counts."""
RUNNING: Final = "c:"
"""Sorted set of one subject: request id -> end of its lease."""
BUDGET: Final = "b:"
"""Hash of one budget in one period: u used, h held, s since when it counts."""
MARK: Final = "x:"
"""Says of a request that its settlement without a hold was counted."""

HOLDS_PATTERN: Final = f"gw:{{*}}:{HOLDS}"
BUDGETS_PATTERN: Final = f"gw:{{*}}:{BUDGET}*"


def details_key(user_id: str) -> str:
    """Return the key that names a user's slot and from which the scripts derive all others."""
    return f"gw:{{{user_id}}}:{DETAILS}"


def user_of_holds(key: str) -> str:
    """Return whose holds a key of `HOLDS_PATTERN` has."""
    return key.removeprefix("gw:{").removesuffix(f"}}:{HOLDS}")


def budget_key(user_id: str, budget: Budget, now_us: int) -> str:
    """Return the key of a budget's counters in the period that contains `now_us`."""
    return f"gw:{{{user_id}}}:{BUDGET}{budget.subject}:{budget.period}{label_of(budget.period, now_us)}"


def parse_budget_key(key: str) -> tuple[str, str, datetime | None]:
    """Return user, subject and start of the period that a budget key names (None: all time)."""
    user_id, _, rest = key.removeprefix("gw:{").partition(f"}}:{BUDGET}")
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
