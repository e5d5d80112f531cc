"""Facts about models; prices are micro-roubles per 1,000 tokens, valid from their date on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.errors import InvalidRequest, invalid_parameter

CHAT: Final = "chat"
MAX_TEXT: Final = 256
MAX_MODELS: Final = 2000
MAX_AMOUNT: Final = 10**12


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """A price and when it begins; without a price for cached input, that of input is used."""

    version: str
    input_micro_rub_per_1k: int
    output_micro_rub_per_1k: int
    cached_micro_rub_per_1k: int | None
    valid_from: datetime

    def cost_micro_rub(self, tokens_input: int, tokens_output: int, tokens_cached: int = 0) -> int:
        """Return what so many tokens cost, rounded up; cached ones are among the input."""
        cached_price = self.cached_micro_rub_per_1k
        cached_price = self.input_micro_rub_per_1k if cached_price is None else cached_price
        thousandfold = (
            (tokens_input - tokens_cached) * self.input_micro_rub_per_1k
            + tokens_cached * cached_price
            + tokens_output * self.output_micro_rub_per_1k
        )
        return -(-thousandfold // 1000)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One version of one model.

    Attributes:
        model: with version, as in usage rows: `yandexgpt:latest`.
        family: without it: `yandexgpt`.
        context_length: tokens; 0: unknown.
        shutdown_at: from when on it does not answer; None: no end is known.
        successor: the model to go over to; empty: none is named.
        prices: every known one, oldest first.
        is_offered: whether the catalogue still has it.
    """

    model: str
    family: str
    version: str
    provider: str
    kind: str
    resolved_model: str
    context_length: int
    max_output_tokens: int
    shutdown_at: datetime | None
    deprecated_at: datetime | None
    successor: str
    prices: tuple[DatedPrice, ...]
    is_offered: bool = True

    def price_at(self, moment: datetime) -> DatedPrice | None:
        """Return the price that holds at a moment, if one is known."""
        held = [price for price in self.prices if price.valid_from <= moment]
        return held[-1] if held else None


class Facts:
    """All models that are or were in the catalogue."""

    def __init__(self, models: Iterable[ModelFacts]) -> None:
        self._by_model = {facts.model: facts for facts in models}

    def __iter__(self) -> Iterator[ModelFacts]:
        return iter(self._by_model.values())

    def find(self, model: str) -> ModelFacts | None:
        """Return a model by its id; a bare name means its `:latest`."""
        return self._by_model.get(model) or self._by_model.get(f"{model}:latest")

    def cheaper_than(self, model: ModelFacts, moment: datetime) -> tuple[ModelFacts, ...]:
        """Return models of the same provider and kind that cost less for input and for output, the cheapest first."""
        price = model.price_at(moment)
        if price is None:
            return ()
        known = [(each, each.price_at(moment)) for each in self if _is_alternative(each, model, moment)]
        cheaper = [(each, other) for each, other in known if other is not None and _is_cheaper(other, price)]
        cheaper.sort(key=lambda pair: (_sum(pair[1]), pair[0].version != "latest", pair[0].model))
        return tuple([each for each, _ in cheaper])


def _is_alternative(other: ModelFacts, model: ModelFacts, moment: datetime) -> bool:
    """Tell whether one could be asked in place of the other; what is being withdrawn or tried out is no advice."""
    same = other.provider == model.provider and other.kind == model.kind and other.model != model.model
    leaving = other.deprecated_at is not None or other.shutdown_at is not None
    return same and other.is_offered and not leaving and other.version in ("", "latest")


def _is_cheaper(other: DatedPrice, price: DatedPrice) -> bool:
    at_most = (
        other.input_micro_rub_per_1k <= price.input_micro_rub_per_1k
        and other.output_micro_rub_per_1k <= price.output_micro_rub_per_1k
    )
    return at_most and _sum(other) < _sum(price)


def _sum(price: DatedPrice) -> int:
    return price.input_micro_rub_per_1k + price.output_micro_rub_per_1k


def check(models: Iterable[ModelFacts]) -> None:
    """Return when the facts can be kept.

    Raises:
        InvalidRequest: one cannot; the message names it.
    """
    seen: set[str] = set()
    for facts in models:
        if facts.model in seen:
            raise _refusal(f"The model `{facts.model[:128]}` comes twice.")
        if not _is_storable(facts):
            raise _refusal(f"The facts of the model `{facts.model[:128]}` cannot be kept.")
        seen.add(facts.model)
    if len(seen) > MAX_MODELS:
        raise _refusal(f"There are more than {MAX_MODELS} models.")


def _is_storable(facts: ModelFacts) -> bool:
    fits = all(len(text) <= MAX_TEXT and "\0" not in text for text in _texts(facts))
    return bool(facts.model) and fits and all(0 <= amount <= MAX_AMOUNT for amount in _amounts(facts))


def _texts(facts: ModelFacts) -> Iterator[str]:
    yield from (facts.model, facts.family, facts.version, facts.provider, facts.kind)
    yield from (facts.resolved_model, facts.successor, *[price.version for price in facts.prices])


def _amounts(facts: ModelFacts) -> Iterator[int]:
    yield from (facts.context_length, facts.max_output_tokens)
    for price in facts.prices:
        yield from (price.input_micro_rub_per_1k, price.output_micro_rub_per_1k, price.cached_micro_rub_per_1k or 0)


def _refusal(message: str) -> InvalidRequest:
    return invalid_parameter("models", message)
