"""Tests whether a similar model of another provider is significantly faster or fails less."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from services.usage.catalog_facts.domain.facts import DatedPrice
from services.usage.insights.domain.finding import Found, Pattern, found
from services.usage.insights.domain.intervals import quantile_difference, share_difference
from services.usage.insights.domain.material import FRACTIONS, FirstTokens, Material
from services.usage.insights.domain.values import Name, Seconds, Share, Values

MIN_SAMPLES: Final = 200
GAP: Final = 0.2
P95: Final = 0.95
# Models of one kind whose prices differ by no more than this are of one class.
CLASS_PRICE_RATIO: Final = 2.0
_P95_PLACE: Final = FRACTIONS.index(P95)


def provider_gap(material: Material) -> Iterator[Found]:
    """Find pairs of models of one class at two providers whose p95 of the first token, or errors, differ by 20 %."""
    for one, other in combinations(sorted(material.first_tokens, key=lambda use: use.model), 2):
        if one.provider == other.provider or not _are_alike(material, one, other):
            continue
        yield from _slower(material, one, other)
        yield from _failing(material, one, other)


def _are_alike(material: Material, one: FirstTokens, other: FirstTokens) -> bool:
    facts, other_facts = material.facts.find(one.model), material.facts.find(other.model)
    if facts is None or other_facts is None or facts.kind != other_facts.kind:
        return False
    price, other_price = facts.price_at(material.now), other_facts.price_at(material.now)
    return price is not None and other_price is not None and _ratio(price, other_price) <= CLASS_PRICE_RATIO


def _ratio(price: DatedPrice, other: DatedPrice) -> float:
    amounts = sorted(each.input_micro_rub_per_1k + each.output_micro_rub_per_1k for each in (price, other))
    return amounts[1] / amounts[0] if amounts[0] else float("inf")


def _slower(material: Material, one: FirstTokens, other: FirstTokens) -> Iterator[Found]:
    if min(one.streams, other.streams) < MIN_SAMPLES:
        return
    fast, slow = sorted((one, other), key=_p95)
    low, _ = quantile_difference((slow.quantiles, slow.streams), (fast.quantiles, fast.streams), FRACTIONS, P95)
    if low <= 0 or _p95(slow) <= (1 + GAP) * _p95(fast):
        return
    values: Values = {
        "slow": Name(slow.model),
        "slow_time": Seconds(_p95(slow)),
        "fast": Name(fast.model),
        "fast_time": Seconds(_p95(fast)),
    }
    subject = f"{slow.model}/{fast.model}/first_token"
    yield found(Pattern.PROVIDER_GAP, subject, values, {**material.span(), "group_by": "version"})


def _failing(material: Material, one: FirstTokens, other: FirstTokens) -> Iterator[Found]:
    if min(one.requests, other.requests) < MIN_SAMPLES:
        return
    good, bad = sorted((one, other), key=_error_share)
    low, _ = share_difference(bad.errors, bad.requests, good.errors, good.requests)
    if low <= 0 or _error_share(bad) <= (1 + GAP) * _error_share(good):
        return
    values: Values = {
        "slow": Name(bad.model),
        "slow_share": Share(_error_share(bad)),
        "fast": Name(good.model),
        "fast_share": Share(_error_share(good)),
    }
    query = {**material.span(), "group_by": "version,status"}
    subject = f"{bad.model}/{good.model}/errors"
    yield found(Pattern.PROVIDER_GAP, subject, values, query, wording="provider_gap_errors")


def _p95(use: FirstTokens) -> int:
    return use.quantiles[_P95_PLACE]


def _error_share(use: FirstTokens) -> float:
    return use.errors / use.requests
