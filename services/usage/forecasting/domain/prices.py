"""Known price changes: the cost of the same use at another day's price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean
from typing import Final

from services.usage.catalog_facts.domain.facts import DatedPrice, Facts, ModelFacts

MIX_DAYS: Final = 28
"""Days from which the mix of models, the hours of a day and short calls are taken."""


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
    """From this day on the same use costs more or less: `share` 0.25 is a quarter more than the day before."""

    day: date
    share: float


def price_factors(uses: Sequence[ModelUse], facts: Facts, now: datetime, moments: Sequence[datetime]) -> list[float]:
    """Return for each moment what this use costs by the prices of then, as a share of what it costs by those of now.

    A use without a known price costs what it did.
    """
    priced = [_priced(use, facts, now) for use in uses]
    costs_now = _cost_at(now, priced)
    if costs_now <= 0:
        return [1.0] * len(moments)
    return [_cost_at(moment, priced) / costs_now for moment in moments]


def cost_now(uses: Sequence[ModelUse], facts: Facts, now: datetime) -> float:
    """Return what this use costs by the prices of now; a use without a known price costs what it did."""
    return _cost_at(now, [_priced(use, facts, now) for use in uses])


@dataclass(frozen=True, slots=True)
class _Priced:
    """A use, and what is paid of its listed price: less than all where caches or batches answered."""

    use: ModelUse
    facts: ModelFacts | None
    paid_share: float

    def at(self, moment: datetime) -> float:
        """Return what the use costs by the price of a moment."""
        listed = _listed(self.use, self.facts, moment)
        return self.use.cost_micro_rub if listed is None else listed * self.paid_share


def _cost_at(moment: datetime, priced: Sequence[_Priced]) -> float:
    return sum(each.at(moment) for each in priced)


def _priced(use: ModelUse, facts: Facts, now: datetime) -> _Priced:
    found = facts.find(use.model)
    # What was paid was paid by the prices of these days.
    listed = [_listed(use, found, now - timedelta(days=ago)) for ago in range(MIX_DAYS)]
    known = [each for each in listed if each]
    return _Priced(use, found, use.cost_micro_rub / fmean(known) if known else 1.0)


def _listed(use: ModelUse, facts: ModelFacts | None, moment: datetime) -> int | None:
    """Return what the use costs by the catalogue; before its first price, by that one."""
    price = None if facts is None else facts.price_at(moment) or next(iter(facts.prices), None)
    return None if price is None else cost_of(use, price)


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
