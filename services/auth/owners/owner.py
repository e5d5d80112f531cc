"""A user, with what notifications need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.auth.shared.domain.budget import Budget
from services.auth.shared.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class OwnedBudget:
    """A cap, and the name that its owner gave it."""

    budget: Budget
    name: str = ""


@dataclass(frozen=True, slots=True)
class EndingKey:
    """A live key that expires."""

    id: str
    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Owner:
    """A user. `email` is empty until it is confirmed."""

    user_id: str
    email: str = field(repr=False)
    language: str
    time_zone: str
    tier: Tier
    budgets: tuple[OwnedBudget, ...] = ()
    keys: tuple[EndingKey, ...] = ()
