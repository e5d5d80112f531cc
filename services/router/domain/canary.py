"""Canaries: a share of a channel's traffic goes to another version, for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.router.domain.catalog import Canary, Catalog, Model, Price
from services.router.domain.routing_policy import chance, is_allowed

WHOLE: Final = 100.0


class Arm(StrEnum):
    """The two sides of a comparison."""

    CANARY = "canary"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Draw:
    """What the side is drawn by: requests with the same value go to the same version.

    Attributes:
        user: whose request it is.
        session: the caller's own name of a conversation (`prompt_cache_key`); empty: its user stands for it.
        request: its id.
    """

    user: str = ""
    session: str = ""
    request: str = ""

    def by(self, what: str) -> str:
        """Return the value that a rule draws by."""
        if what == "request":
            return self.request
        return f"{self.user}\0{self.session}" if what == "session" and self.session else self.user


@dataclass(frozen=True, slots=True)
class Drawn:
    """The side that a request was drawn to, and the model that is tried first there."""

    arm: Arm
    model: Model


def drawn(catalog: Catalog, asked: Model, now: datetime, allowed: frozenset[str], draw: Draw) -> Drawn | None:
    """Return the side of a request; None: no rule holds for it.

    A caller is never moved to a version that its credential may not use, or that costs more than what it asked for.
    """
    rule = asked.canary
    if rule is None:
        return None
    other = catalog.find(rule.model)
    if other is None or not _may_replace(other, asked, now) or not is_allowed(other, allowed):
        return None
    is_canary = chance("canary", asked.id, draw.by(rule.by)) * WHOLE < rule.percent
    return Drawn(Arm.CANARY, other) if is_canary else Drawn(Arm.STABLE, asked)


def _may_replace(other: Model, asked: Model, now: datetime) -> bool:
    if other.kind != asked.kind or not other.is_served(now) or other.resolved_model == asked.resolved_model:
        return False
    price, asked_price = price_at(other, now), price_at(asked, now)
    return price is not None and asked_price is not None and _costs_no_more(price, asked_price)


def _costs_no_more(price: Price, than: Price) -> bool:
    return (
        price.input_micro_rub_per_1k <= than.input_micro_rub_per_1k
        and price.output_micro_rub_per_1k <= than.output_micro_rub_per_1k
        and price.cached_micro_rub_per_1k <= than.cached_micro_rub_per_1k
    )


def price_at(model: Model, now: datetime) -> Price | None:
    """Return the price that holds at `now`, if there is one."""
    return next((price for price in reversed(model.prices) if price.valid_from <= now), None)


def rule_of(value: object) -> Canary | None:
    """Return the rule that an administrator wrote: `{"model": …, "percent": …, "by": …}`, or null for none.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or not {"model", "percent"} <= value.keys() <= {"model", "percent", "by"}:
        raise ValueError("must be an object of model, percent and by")
    model, percent, by = value["model"], value["percent"], value.get("by", "user")
    if not isinstance(model, str) or by not in ("user", "session", "request"):
        raise ValueError("model must be text, and by one of user, session, request")
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 < percent <= WHOLE:
        raise ValueError("percent must be above 0, 100 at most")
    return Canary(model, float(percent), by)
