"""The cost if all short calls went to another model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.usage.catalog_facts.domain.facts import DatedPrice
from services.usage.forecasting.domain.course import Band
from services.usage.forecasting.domain.prices import ModelUse, cost_of

SHORT_INPUT_TOKENS: Final = 1000
SHORT_OUTPUT_TOKENS: Final = 300
"""A short call has fewer of each, needs nothing that other models may lack, and ended by itself."""
NEEDS_MORE: Final = 1 | 4 | 8
"""The bits of a row's traits for tools, pictures and a form of the answer: what not every model has."""


@dataclass(frozen=True, slots=True)
class ShortCalls:
    """How many of a user's calls, and what they used and cost by model; those of the other model are not among them."""

    requests: int
    uses: tuple[ModelUse, ...]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """How spending changes if another model answers the short calls of the last weeks.

    Attributes:
        model: the other one, with its version.
        requests: how many calls would go to the other model.
        cost_micro_rub: what they cost.
        would_cost_micro_rub: what they would cost by the other model's price of today, token for token.
        factor: what everything together costs then, as a share of what it costs now.
    """

    model: str
    requests: int
    cost_micro_rub: int
    would_cost_micro_rub: int
    factor: float

    def applied(self, band: Band, spent: int) -> Band:
        """Return the band of a sum when calls change now, after so much of it was spent."""
        return Band(*(spent + round((figure - spent) * self.factor) for figure in (band.p10, band.p50, band.p90)))


@dataclass(frozen=True, slots=True)
class OtherModel:
    """The model that is to answer, with its version, and its price of today."""

    model: str
    price: DatedPrice


def what_if(calls: ShortCalls, other: OtherModel, costs_now: float, total_now: float) -> WhatIf:
    """Return what changes, given the other model and what these calls, and all of those days, cost at today's prices.

    What is foretold is at these prices, too: after a model became cheaper there is less to spare.
    """
    cost = sum(use.cost_micro_rub for use in calls.uses)
    would_cost = sum(cost_of(use, other.price) for use in calls.uses)
    factor = 1 + (would_cost - costs_now) / total_now if total_now > 0 else 1.0
    return WhatIf(other.model, calls.requests, cost, would_cost, max(0.0, factor))
