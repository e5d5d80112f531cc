"""Patterns of the model mix: shifts of shares, drivers of a cost change, input against output tokens."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.usage.insights.domain.finding import Found, Pattern, found
from services.usage.insights.domain.material import WINDOW_DAYS, DayUse, Material
from services.usage.insights.domain.values import Count, Money, Name, Number, Share, Values
from services.usage.statistics.domain.drivers import changes
from services.usage.statistics.domain.figures import Figures

MIN_REQUESTS: Final = 100
WEEK: Final = 7
SHIFT_DISTANCE: Final = 0.15
SHIFT_COST: Final = 0.05
RATIO_HIGH: Final = 20.0
RATIO_LOW: Final = 0.2
RATIO_MIN_REQUESTS: Final = 50


@dataclass(slots=True)
class Sums:
    """Sums of one model over some days."""

    requests: int = 0
    tokens_input: int = 0
    tokens_output: int = 0
    cost_micro_rub: int = 0

    @property
    def tokens(self) -> int:
        """Return what is read and written together."""
        return self.tokens_input + self.tokens_output


def by_model(rows: Iterable[DayUse]) -> dict[str, Sums]:
    """Return the sums of each model."""
    sums: defaultdict[str, Sums] = defaultdict(Sums)
    for row in rows:
        model = sums[row.model]
        model.requests += row.requests
        model.tokens_input += row.tokens_input
        model.tokens_output += row.tokens_output
        model.cost_micro_rub += row.cost_micro_rub
    return dict(sums)


def _shares(sums: Mapping[str, Sums]) -> dict[str, float]:
    total = sum(model.requests for model in sums.values())
    return {name: model.requests / total for name, model in sums.items()} if total else {}


def shift_distance(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the Jensen-Shannon distance of two sets of shares: 0 alike, 1 nothing in common."""

    def divergence(shares: Mapping[str, float]) -> float:
        return sum(
            share * math.log2(share / ((before.get(name, 0.0) + after.get(name, 0.0)) / 2))
            for name, share in shares.items()
            if share > 0
        )

    return math.sqrt(max(0.0, (divergence(before) + divergence(after)) / 2))


def mix_shift(material: Material) -> Iterator[Found]:
    """Find that the last week's models are others than those of the four weeks before, and that it costs."""
    now, then = by_model(material.full_days(WEEK)), by_model(material.full_days(WINDOW_DAYS, before=WEEK))
    before, after = _shares(then), _shares(now)
    days_then = _days_before(material)
    if sum(sums.requests for sums in now.values()) < MIN_REQUESTS or not before or days_then < WEEK:
        return
    # A week then and a week now.
    cost_then = sum(sums.cost_micro_rub for sums in then.values()) * WEEK // days_then
    change = sum(sums.cost_micro_rub for sums in now.values()) - cost_then
    if shift_distance(before, after) <= SHIFT_DISTANCE or abs(change) <= SHIFT_COST * cost_then:
        return
    moved = max(before.keys() | after.keys(), key=lambda name: (abs(after.get(name, 0) - before.get(name, 0)), name))
    values: Values = {
        "model": Name(moved),
        "before": Share(before.get(moved, 0.0)),
        "after": Share(after.get(moved, 0.0)),
        "change": Money(change, signed=True),
    }
    yield found(
        Pattern.MIX_SHIFT, moved, values, {**material.span(WEEK + WINDOW_DAYS, before=1), "group_by": "version"}
    )


def _days_before(material: Material) -> int:
    """Return how many of the days before the last week there are since the first request: others cost nothing."""
    week_begins = material.now.date() - timedelta(days=WEEK)
    first = min((row.day for row in material.days), default=week_begins)
    return min(WINDOW_DAYS, (week_begins - first).days)


def _tokens(sums: Mapping[str, Sums]) -> int:
    return sum(model.tokens for model in sums.values())


def _cost(sums: Mapping[str, Sums]) -> int:
    return sum(model.cost_micro_rub for model in sums.values())


def _figures(sums: Mapping[str, Sums]) -> dict[str, Figures]:
    return {
        name: Figures(
            tokens_input=model.tokens_input, tokens_output=model.tokens_output, cost_micro_rub=model.cost_micro_rub
        )
        for name, model in sums.items()
    }


def driver_split(material: Material) -> Iterator[Found]:
    """Say why these four weeks cost another amount than the four before; always, when both have requests."""
    before = by_model(material.full_days(WINDOW_DAYS, before=WINDOW_DAYS))
    after = by_model(material.full_days(WINDOW_DAYS))
    change = _cost(after) - _cost(before)
    if not _tokens(before) or not _tokens(after) or not change:
        return
    models = changes(_figures(before), _figures(after))
    values: Values = {
        "change": Money(change, signed=True),
        "days": Count(WINDOW_DAYS, "day"),
        "volume": Money(sum(model.volume_micro_rub for model in models), signed=True),
        "mix": Money(sum(model.mix_micro_rub for model in models), signed=True),
        "price": Money(sum(model.price_micro_rub for model in models), signed=True),
    }
    yield found(Pattern.DRIVER_SPLIT, "", values, {**material.span(2 * WINDOW_DAYS, before=1), "group_by": "version"})


def io_ratio(material: Material) -> Iterator[Found]:
    """Find models that read far more than they write, or the other way round."""
    for model, sums in sorted(by_model(material.last_days(WINDOW_DAYS)).items()):
        # Embeddings write nothing.
        if sums.requests < RATIO_MIN_REQUESTS or not sums.tokens_output:
            continue
        ratio = sums.tokens_input / sums.tokens_output
        if RATIO_LOW <= ratio <= RATIO_HIGH:
            continue
        values: Values = {"model": Name(model), "ratio": Number(ratio, 0 if ratio > 1 else 2)}
        wording = "io_ratio" if ratio > 1 else "io_ratio_low"
        query = {**material.span(), "group_by": "version", "version": model}
        yield found(Pattern.IO_RATIO, model, values, query, wording=wording)
