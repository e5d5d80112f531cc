"""Why a cost changed: volume, model mix, or prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.usage.statistics.domain.figures import Figures

_NOTHING = Figures()


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model's cost before and now, in micro-roubles; the three effects add up to the difference exactly.

    A quantity is tokens in and out, a price is cost over quantity: an answer that needs more output of the same model
    is a higher price, too.
    """

    model: str
    before_micro_rub: int
    now_micro_rub: int
    volume_micro_rub: int
    mix_micro_rub: int
    price_micro_rub: int


def changes(before: Mapping[str, Figures], now: Mapping[str, Figures]) -> tuple[ModelChange, ...]:
    """Return the change of each model, largest first.

    With p the price and q the quantity of a model, Q that of all, 0 before and 1 now:
    volume p0·q0·(Q1/Q0 - 1), mix p0·(q1 - q0·Q1/Q0), price (p1 - p0)·q1. A new model is mix. When nothing was used
    before, all is volume.
    """
    total_before, total_now = (sum(map(_quantity, period.values())) for period in (before, now))
    growth = Fraction(total_now, total_before) if total_before else None
    found = [
        _change(model, before.get(model, _NOTHING), now.get(model, _NOTHING), growth)
        for model in before.keys() | now.keys()
    ]
    return tuple(sorted(found, key=lambda each: (-abs(each.now_micro_rub - each.before_micro_rub), each.model)))


def _change(model: str, before: Figures, now: Figures, growth: Fraction | None) -> ModelChange:
    cost_before, cost_now = before.cost_micro_rub, now.cost_micro_rub
    difference = cost_now - cost_before
    if growth is None:
        return ModelChange(model, cost_before, cost_now, difference, 0, 0)
    volume = price = 0
    if used_before := _quantity(before):
        volume = round(cost_before * (growth - 1))
        price = round(_price_effect(before, now, used_before))
    return ModelChange(model, cost_before, cost_now, volume, difference - volume - price, price)


def _price_effect(before: Figures, now: Figures, used_before: int) -> Fraction:
    used_now = _quantity(now)
    if not used_now:
        return Fraction(0)
    return now.cost_micro_rub - Fraction(before.cost_micro_rub * used_now, used_before)


def _quantity(figures: Figures) -> int:
    return figures.tokens_input + figures.tokens_output
