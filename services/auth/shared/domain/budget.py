"""Spending caps in integer micro-roubles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from servicekit.errors import invalid_parameter


class BudgetPeriod(StrEnum):
    """When a budget resets; days, weeks (from Monday) and months are those of the account's time zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class CapMode(StrEnum):
    """What a cap does when it is reached: HARD refuses, SOFT notifies, SHADOW counts what it would have refused."""

    HARD = "hard"
    SOFT = "soft"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """What one key may spend in a period."""

    period: BudgetPeriod
    limit_micro_rub: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on a subject: `user:<id>`, `key:<id>`, `grant:<id>` or `organization:<id>`.

    Attributes:
        id: by which its owner finds it; "": it came with the tier, the key or the grant.
        time_zone: whose days, weeks and months it has; "": the account's.
    """

    subject: str
    period: BudgetPeriod
    limit_micro_rub: int
    mode: CapMode = CapMode.HARD
    id: str = ""
    time_zone: str = ""

    @property
    def is_of_account(self) -> bool:
        """Tell whether it caps everything of an account, or more, not one credential."""
        return self.subject.startswith(("user:", "organization:"))


@dataclass(frozen=True, slots=True)
class Quota:
    """A cap on requests or tokens of a subject on the models of a pattern; the measure is a field of `Limits`."""

    id: str
    subject: str
    models: str
    measure: str
    limit: int
    mode: CapMode


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps that owners and administrators set for one credential."""

    budgets: tuple[Budget, ...] = ()
    quotas: tuple[Quota, ...] = ()


def key_budget(limit_micro_rub: int, period: BudgetPeriod | None) -> KeyBudget | None:
    """Return the budget of these parts; a limit of 0 is no budget.

    Raises:
        InvalidRequest: the limit is negative, or there is a limit without a period or the other way round.
    """
    if limit_micro_rub < 0:
        raise invalid_parameter("budget_micro_rub", "The budget must not be negative.")
    if limit_micro_rub == 0 and period is None:
        return None
    if period is None:
        raise invalid_parameter("budget_period", "A budget needs a period: day, month or total.")
    if limit_micro_rub == 0:
        raise invalid_parameter("budget_micro_rub", "A budget period needs a limit above 0.")
    return KeyBudget(period, limit_micro_rub)
