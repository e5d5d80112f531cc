"""Price changes that are known: what the same use costs by the price of another day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.usage.catalog_facts.domain.facts import DatedPrice, Facts


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What a model, with its version, was used for and what that cost; cached tokens are among the input."""

    model: str
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    cost_micro_rub: int


@dataclass(frozen=True, slots=True)
class PriceChange:
    """From a day on the same use costs another amount: `share` 0.25 is a quarter more than the day before."""

    day: date
    share: float


def price_factors(uses: Sequence[ModelUse], facts: Facts, now: datetime, moments: Sequence[datetime]) -> list[float]:
    """Return for each moment what this use costs by the prices of then, as a share of what it costs by those of now.

    A use without a known price costs what it did.
    """
    cost_now = sum(_cost_at(use, facts, now) for use in uses)
    if cost_now <= 0:
        return [1.0] * len(moments)
    return [sum(_cost_at(use, facts, moment) for use in uses) / cost_now for moment in moments]


def _cost_at(use: ModelUse, facts: Facts, moment: datetime) -> int:
    found = facts.find(use.model)
    price = None if found is None else found.price_at(moment)
    return use.cost_micro_rub if price is None else cost_of(use, price)


def cost_of(use: ModelUse, price: DatedPrice) -> int:
    """Return what the use costs by a price, in micro-roubles."""
    return price.cost_micro_rub(use.tokens_input, use.tokens_output, use.tokens_cached)


def changes(days: Sequence[date], factors: Sequence[float]) -> list[PriceChange]:
    """Return the days from which on prices are others than on the day before."""
    return [
        PriceChange(day, after / before - 1)
        for day, before, after in zip(days[1:], factors, factors[1:], strict=False)
        if after != before and before > 0
    ]
