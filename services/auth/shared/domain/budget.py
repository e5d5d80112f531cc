"""Spending caps in integer micro-roubles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from servicekit.errors import ErrorReason, InvalidRequest


class BudgetPeriod(StrEnum):
    """How often a budget starts anew; days, weeks (from Monday) and months are those of the account's time zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """What one key may spend in a period."""

    period: BudgetPeriod
    limit_micro_rub: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on a subject: `user:<id>`, `key:<id>` or `grant:<id>`."""

    subject: str
    period: BudgetPeriod
    limit_micro_rub: int

    @property
    def is_of_account(self) -> bool:
        """Tell whether it caps everything of an account, not one credential."""
        return self.subject.startswith("user:")


def key_budget(limit_micro_rub: int, period: BudgetPeriod | None) -> KeyBudget | None:
    """Return the budget of these parts; a limit of 0 is no budget.

    Raises:
        InvalidRequest: the limit is negative, or there is a limit without a period or the other way round.
    """
    if limit_micro_rub < 0:
        raise InvalidRequest(
            ErrorReason.INVALID_PARAMETERS, "The budget must not be negative.", param="budget_micro_rub"
        )
    if limit_micro_rub == 0 and period is None:
        return None
    if period is None:
        raise InvalidRequest(
            ErrorReason.INVALID_PARAMETERS, "A budget needs a period: day, month or total.", param="budget_period"
        )
    if limit_micro_rub == 0:
        raise InvalidRequest(
            ErrorReason.INVALID_PARAMETERS, "A budget period needs a limit above 0.", param="budget_micro_rub"
        )
    return KeyBudget(period, limit_micro_rub)
