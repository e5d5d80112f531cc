"""A spending or usage cap, and the rules for setting one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from servicekit.errors import InvalidRequest, invalid_parameter
from services.auth.shared.domain.budget import CapMode

MAX_AMOUNT: Final = 10**15
EVERY_MODEL: Final = "*"
_PATTERN: Final = re.compile(r"[a-zA-Z0-9_.:/*-]{1,128}")


class Owner(StrEnum):
    """The owner of a cap."""

    USER = "user"
    KEY = "key"
    APP = "app"
    ORGANIZATION = "organization"


class Source(StrEnum):
    """Where a cap comes from: only those set explicitly can be changed."""

    SET = "set"
    KEY = "key"
    GRANT = "grant"
    TIER = "tier"


PERIODS: Final = {
    "cost": ("day", "week", "month", "total"),
    "requests": ("minute", "day"),
    "tokens": ("minute", "day"),
}
"""What can be capped, and for which periods."""
# What callers know one of them as.
_SAID: Final = {"total": "lifetime"}


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget of money, or a quota of requests or tokens.

    Attributes:
        user_id: whose account it caps; None: an organization.
        subject: `user:<id>`, `key:<first of its line>`, `grant:<consent>` or `organization:<id>`.
        period: as of `PERIODS`; "total" never begins anew.
        models: a pattern, of a quota.
        amount: micro-roubles, requests or tokens.
        by_admin: its owner cannot change it.
        time_zone: whose days, weeks and months it has.
        created_at: None: it came with something else.
    """

    id: str
    user_id: str | None
    subject: str
    measure: str
    period: str
    amount: int
    mode: CapMode = CapMode.HARD
    models: str = EVERY_MODEL
    by_admin: bool = False
    source: Source = Source.SET
    time_zone: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CapOrder:
    """A new cap, or with an `id` a new amount (0: unchanged) and mode (None: unchanged) of an existing one."""

    id: str = ""
    owner: str = Owner.USER
    owner_id: str = ""
    measure: str = "cost"
    period: str = ""
    models: str = ""
    amount: int = 0
    mode: CapMode | None = None


def check_new(order: CapOrder) -> CapOrder:
    """Return the order of a new cap as it is stored.

    Raises:
        InvalidRequest: a field is wrong; it is named, with what it may be.
    """
    _check_one_of("owner", order.owner, list(Owner))
    _check_one_of("measure", order.measure, PERIODS)
    if order.period not in PERIODS[order.measure]:
        known = ", ".join(_SAID.get(period, period) for period in PERIODS[order.measure])
        raise invalid_parameter("period", f"`period` of a limit of {order.measure} is one of: {known}.")
    if not 0 < order.amount <= MAX_AMOUNT:
        raise invalid_parameter("amount", f"The amount must be 1 to {MAX_AMOUNT}.")
    models = order.models or EVERY_MODEL
    _check_quota(order, models)
    mode = order.mode or CapMode.HARD
    return CapOrder("", order.owner, order.owner_id, order.measure, order.period, models, order.amount, mode)


def check_change(order: CapOrder, cap: Cap) -> None:
    """Refuse a change that is none.

    Raises:
        InvalidRequest: a field is wrong; it is named.
    """
    if not 0 <= order.amount <= MAX_AMOUNT:
        raise invalid_parameter("amount", f"The amount must be 1 to {MAX_AMOUNT}.")
    if order.measure and (order.measure == "cost") is not (cap.measure == "cost"):
        raise invalid_parameter("limit", f"The limit of {cap.measure} is given in its own units.")
    if cap.measure != "cost" and order.mode is CapMode.SOFT:
        raise _only_budgets_are_soft()


def _check_quota(order: CapOrder, models: str) -> None:
    if order.measure == "cost":
        if models != EVERY_MODEL:
            raise invalid_parameter("models", "Only quotas of requests and tokens are for some models; leave it out.")
        return
    if order.owner == Owner.ORGANIZATION:
        raise invalid_parameter("measure", "An organization has budgets of cost only.")
    if not _PATTERN.fullmatch(models):
        raise invalid_parameter("models", "Give a model id or a pattern such as yandexgpt*, of at most 128 characters.")
    if order.mode is CapMode.SOFT:
        raise _only_budgets_are_soft()


def _only_budgets_are_soft() -> InvalidRequest:
    return invalid_parameter("mode", "A quota of requests or tokens is hard or shadow.")


def _check_one_of(param: str, given: str, known: Collection[str]) -> None:
    if given not in known:
        raise invalid_parameter(param, f"`{param}` must be one of: {', '.join(known)}.")
