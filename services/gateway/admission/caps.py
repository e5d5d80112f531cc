"""Caps that an owner or an administrator put on what is spent: budgets of money, quotas of requests and tokens.

Budgets of one subject and period share one counter, so each of them costs a comparison and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from services.gateway.admission.dimensions import Dimension
from services.gateway.admission.keys import budget_key, owner_of_counter, owner_of_key
from services.gateway.admission.periods import BudgetPeriod

UNLIMITED: Final = 9_000_000_000_000_000
"""Micro-roubles that no counter reaches, and that a double of the scripts still holds exactly."""


class CapMode(StrEnum):
    """What a cap does when it is reached. HARD refuses, SOFT tells, SHADOW counts what it would have refused."""

    HARD = "hard"
    SOFT = "soft"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap on spending; the subject is "user:<id>", "key:<id>", "grant:<id>" or "organization:<id>".

    Attributes:
        id: by which its owner finds it; "": it came with the tier.
        time_zone: whose days, weeks and months it has, by its IANA name; "": the calling account's.
    """

    subject: str
    period: BudgetPeriod
    limit_micro_rub: int
    mode: CapMode = CapMode.HARD
    id: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """A cap on requests or tokens of a subject on the models whose ids match a pattern, as "yandexgpt*"."""

    id: str
    subject: str
    models: str
    dimension: Dimension
    limit: int
    mode: CapMode = CapMode.HARD

    @property
    def name(self) -> str:
        """Return under which name its state is kept."""
        return f"{QUOTA_SUBJECT}{self.id}"


QUOTA_SUBJECT: Final = "quota:"


def matching(quotas: tuple[Quota, ...], model: str) -> tuple[Quota, ...]:
    """Return the quotas that cap requests for a model, by its id with version."""
    return tuple(quota for quota in quotas if fnmatchcase(model, quota.models)) if quotas else ()


@dataclass(frozen=True, slots=True)
class Counter:
    """What one subject spends in one period, and the budgets that cap it.

    Attributes:
        hard: the tightest budget that refuses; None: none does.
        limit: of that budget, in micro-roubles.
    """

    key: str
    budgets: tuple[Budget, ...]
    hard: Budget | None = field(init=False)
    limit: int = field(init=False)

    def __post_init__(self) -> None:
        hard: Budget | None = None
        for budget in self.budgets:
            if budget.mode is CapMode.HARD and (hard is None or budget.limit_micro_rub < hard.limit_micro_rub):
                hard = budget
        object.__setattr__(self, "hard", hard)
        object.__setattr__(self, "limit", UNLIMITED if hard is None else hard.limit_micro_rub)

    @property
    def owner(self) -> str:
        """Return under whose name it counts: a user or an organization."""
        return owner_of_key(self.key)

    @property
    def is_endless(self) -> bool:
        """Tell whether its period never ends."""
        return self.budgets[0].period is BudgetPeriod.TOTAL

    @property
    def watching(self) -> list[Budget]:
        """Return its budgets that count what they would have refused."""
        return [budget for budget in self.budgets if budget.mode is CapMode.SHADOW]


def counters_of(user_id: str, budgets: Sequence[Budget], time_zone: str, at_s: int) -> tuple[Counter, ...]:
    """Return what counts for a user's budgets in the periods that contain Unix second `at_s`."""
    by_key: dict[str, list[Budget]] = {}
    for budget in budgets:
        owner = owner_of_counter(user_id, budget.subject)
        key = budget_key(owner, budget.subject, budget.period, budget.time_zone or time_zone, at_s)
        by_key.setdefault(key, []).append(budget)
    return tuple([Counter(key, tuple(found)) for key, found in by_key.items()])
