"""The limit whose date is wanted: one that was named, or the account's own budget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from servicekit.call import CallContext
from servicekit.clock import day_nearest
from services.gateway.admission.caps import Budget, CapMode
from services.gateway.admission.periods import BudgetPeriod, moment, window_of
from services.gateway.analytics.grammar import refusal
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage import UsageClient
from services.gateway.clients.usage_forecasts.values import ForecastLimit
from services.gateway.edge.money import MICRO, MOST_MICRO_RUB

USER_SUBJECT: Final = "user:"


@dataclass(frozen=True, slots=True)
class AskedLimit:
    """A limit and where it comes from: `request`, or `budget` with its period's name and its id."""

    limit: ForecastLimit
    source: str = "request"
    period: str = "month"
    budget_id: str = ""


def limit_of(text: str) -> AskedLimit:
    """Return the limit of a month that a parameter names in roubles.

    Raises:
        InvalidRequest: it is no amount.
    """
    try:
        micro_rub = Decimal(text) * MICRO
    except ArithmeticError:
        # No number, or one with more digits than a decimal has: `1e999999`.
        micro_rub = Decimal(0)
    if not micro_rub.is_finite() or not 0 < micro_rub <= MOST_MICRO_RUB or micro_rub != int(micro_rub):
        raise refusal("limit_rub", "must be an amount of roubles above 0 like `10000` or `99.50`")
    return AskedLimit(ForecastLimit(int(micro_rub)))


async def budget_limit(
    usage: UsageClient, caller: Caller, zone: str, now: datetime, call: CallContext
) -> AskedLimit | None:
    """Return the account's budget with the least left; None: it has none that lasts longer than a day.

    Budgets of keys, applications and organizations count other spending than what is foretold here.
    """
    found = [
        await _counted(usage, caller, budget, zone, now, call) for budget in caller.budgets if _is_of_account(budget)
    ]
    return min(found, key=_left, default=None)


def _is_of_account(budget: Budget) -> bool:
    lasts = budget.period is not BudgetPeriod.DAY
    return budget.subject.startswith(USER_SUBJECT) and lasts and budget.mode is not CapMode.SHADOW


async def _counted(
    usage: UsageClient, caller: Caller, budget: Budget, zone: str, now: datetime, call: CallContext
) -> AskedLimit:
    window = window_of(budget.period, budget.time_zone or caller.time_zone, int(now.timestamp()))
    since, until = (None, None) if window is None else (moment(window.starts_s), moment(window.ends_s))
    spent = await usage.get_spend(caller.user_id, budget.subject, since, until, call)
    ends_on = "" if until is None else day_nearest(until, ZoneInfo(zone)).isoformat()
    limit = ForecastLimit(budget.limit_micro_rub, spent, ends_on)
    return AskedLimit(limit, "budget", budget.period.label, budget.id)


def _left(asked: AskedLimit) -> int:
    return asked.limit.amount - (asked.limit.spent or 0)
