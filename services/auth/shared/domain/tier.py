"""Tiers: what an account may use per minute, per day and at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class TierLimits:
    """What one tier may do: in all, with each key, and on each model version."""

    user: Limits
    key: Limits
    model: Limits
