"""Patterns of avoidable spending: repeated prompts, short calls to an expensive model. Savings are monthly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.usage.catalog_facts.domain.facts import ModelFacts
from services.usage.insights.domain.finding import Found, Pattern, Saving, found
from services.usage.insights.domain.material import Material, ModelUse
from services.usage.insights.domain.values import Money, Name, Number, Share, Values

WORTH_MICRO_RUB: Final = 100_000_000
CACHEABLE_SHARE: Final = 0.05
CHEAPER_SHARE: Final = 0.10
# A cache forgets after a while, and not every repetition comes in time.
CACHE_HIT_SHARE: Final = 0.5
CACHE_CONFIDENCE: Final = 0.8
# Of short calls, those that still answer well enough: by whom it is tried out, it is half of them at least.
VALIDATED_SHARE: Final = 0.5
CHEAPER_CONFIDENCE: Final = 0.6


def cacheable(material: Material) -> Iterator[Found]:
    """Find requests that repeat one before word for word, at temperature 0: 5 % of the spending, or 100 roubles."""
    repeats, spent = material.repeats, sum(use.cost_micro_rub for use in material.hours)
    saving = material.monthly(repeats.cost_micro_rub)
    if not repeats.repeated or (repeats.cost_micro_rub < CACHEABLE_SHARE * spent and saving < WORTH_MICRO_RUB):
        return
    values: Values = {
        "share": Share(repeats.repeated / repeats.requests),
        "saving": Money(saving),
        "repeated": Number(repeats.repeated),
    }
    least = int(saving * CACHE_HIT_SHARE)
    yield found(Pattern.CACHEABLE, "", values, material.span(), saving=Saving(least, saving, CACHE_CONFIDENCE))


def cheaper_model(material: Material) -> Iterator[Found]:
    """Find short calls that a cheaper model of the same provider could answer: 10 % of a model's cost, 100 roubles."""
    for use in material.models_in_use:
        other, saved = _cheapest(material, use)
        saving = material.monthly(saved)
        if not use.calls or saved < CHEAPER_SHARE * use.cost_micro_rub or saving < WORTH_MICRO_RUB:
            continue
        values: Values = {
            "share": Share(use.short / use.calls),
            "model": Name(use.model),
            "other": Name(other),
            "saving": Money(-saving, signed=True),
        }
        query = {**material.span(), "group_by": "version", "version": use.model}
        least = int(saving * VALIDATED_SHARE)
        yield found(Pattern.CHEAPER_MODEL, use.model, values, query, saving=Saving(least, saving, CHEAPER_CONFIDENCE))


def _cheapest(material: Material, use: ModelUse) -> tuple[str, int]:
    """Return the model at which the short calls cost least, and how much less, at the prices of now.

    Of which less was paid than these prices say (batches, an earlier price) as much less is saved.
    """
    facts = material.facts.find(use.model)
    for other in material.facts.cheaper_than(facts, material.now) if facts else ():
        own_cost, other_cost = (_cost_of_short(use, each, material) for each in (facts, other))
        saved = (own_cost - other_cost) * min(own_cost, use.short_cost_micro_rub)
        return other.model, saved // own_cost if own_cost else 0
    return "", 0


def _cost_of_short(use: ModelUse, facts: ModelFacts | None, material: Material) -> int:
    price = facts.price_at(material.now) if facts else None
    assert price is not None  # those without are not among the cheaper ones, nor compared
    return price.cost_micro_rub(use.short_tokens_input, use.short_tokens_output, use.short_tokens_cached)
