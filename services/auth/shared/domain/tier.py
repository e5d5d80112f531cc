"""Tiers: what an account may use per minute, per day and at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.auth.shared.domain.budget import Budget, BudgetPeriod


class Tier(StrEnum):
    """The account's plan."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one dimension; 0 means "no limit here"."""

    requests_per_minute: int = 0
    requests_per_day: int = 0
    tokens_per_minute: int = 0
    concurrent_requests: int = 0
    tokens_per_day: int = 0


@dataclass(frozen=True, slots=True)
class TierLimits:
    """What one tier may do: in all, with each key or application, and on each model version."""

    user: Limits
    key: Limits
    model: Limits
    micro_rub_per_month: int = 0
    """What the account may spend in a month, whoever asked for no budget; 0 means as much as it likes."""

    def ceiling_of(self, user_id: str) -> tuple[Budget, ...]:
        """Return the budget that an account has by its tier alone, () when it has none."""
        if not self.micro_rub_per_month:
            return ()
        return (Budget(f"user:{user_id}", BudgetPeriod.MONTH, self.micro_rub_per_month),)
