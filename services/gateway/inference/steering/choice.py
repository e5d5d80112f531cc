"""From what a caller says of who answers to the models that may, first choice first, each with its price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from servicekit.errors import ServiceError
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Catalog, Model
from services.gateway.clients.router.prompt import Candidates
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.identity.access import check_model, may_use
from services.gateway.inference.steering.names import default_model, meant
from services.gateway.metering.usage_record import Price
from services.gateway.schemas.steering import MaxPrice, ProviderPreferences

Priced = tuple[Model, Price]
# Prices of the catalogue are micro-roubles per 1,000 tokens: a thousandth of a rouble per 1,000,000.
MICRO_PER_1K_OF_A_ROUBLE_PER_1M: Final = 1000
SEEN_BY_THE_ROUTER: Final = ("latency", "throughput")


class SteeredBody(Protocol):
    """A body of any paid route that can be steered."""

    model: str
    models: list[str] | None
    provider: ProviderPreferences | None


@dataclass(frozen=True, slots=True)
class Steering:
    """What a caller says of who answers: the models behind the first one, and the providers.

    Attributes:
        models: as the caller wrote them; empty: the catalogue says who stands in for the model.
        has_first: whether `models` begins with the model itself, for the body named no other.
    """

    models: Sequence[str]
    preferences: ProviderPreferences
    has_first: bool = False


# What says nothing of who answers: every parameter must count, or need not.
_NOTHING_SAID: Final = ProviderPreferences()
_STRICT: Final = ProviderPreferences(require_parameters=True)
_LENIENT: Final = ProviderPreferences(require_parameters=False)


def steering_of(request: SteeredBody, caller: Caller) -> Steering | None:
    """Return what a body says of who answers; None: nothing.

    For a missing `model` the first of `models` stands in, or what the caller has named as its default.

    Raises:
        InvalidRequest: nothing names a model.
    """
    has_first = not request.model and request.models is not None
    if not request.model:
        request.model = request.models[0] if request.models else default_model(caller)
        if not request.model:
            raise invalid_field("model", "This field is required")
    if request.models is None:
        return preferred(request.provider)
    return Steering(request.models, request.provider or _NOTHING_SAID, has_first)


def preferred(preferences: ProviderPreferences | None) -> Steering | None:
    """Return what a body without `models` says; None: nothing."""
    if preferences is None or preferences in (_NOTHING_SAID, _STRICT, _LENIENT):
        return None
    return Steering((), preferences)


def choose(
    catalog: Catalog, caller: Caller, asked: Model, now: datetime, steering: Steering
) -> tuple[tuple[Priced, ...], Candidates]:
    """Return the models that may answer, first choice first, and what the router is told of them.

    Raises:
        InvalidRequest: a wish names what does not exist, or leaves nobody; the field is named.
        NotFound: one of `models` does not exist.
        PermissionDenied: the credential may not use one of them.
        Unavailable: one of them has no price.
    """
    preferences = steering.preferences
    _check_names(catalog, preferences)
    named = _named(catalog, caller, asked, now, steering)
    left = _in_order(_filtered(named, preferences), preferences)
    sort = preferences.sort if preferences.sort in SEEN_BY_THE_ROUTER and not preferences.order else ""
    alone = preferences.allow_fallbacks is False and not preferences.order
    if alone and not sort:
        left = left[:1]
    is_catalogued = not (steering.models or preferences.order or preferences.sort == "price")
    stands_for = asked.id if is_catalogued else ""
    return tuple(left), Candidates([model.id for model, _ in left], sort or "", alone, stands_for)


def _named(catalog: Catalog, caller: Caller, asked: Model, now: datetime, steering: Steering) -> list[Priced]:
    first = (asked, asked.price_at(now))
    if not steering.models:
        return [first, *_stand_ins(catalog, caller, asked, now)]
    skipped = 1 if steering.has_first else 0
    chosen = {asked.id: first}
    for at, name in enumerate(steering.models[skipped:], skipped):
        model = _one_named(catalog, caller, name, asked.kind, f"models[{at}]")
        chosen.setdefault(model.id, (model, model.price_at(now)))
    return list(chosen.values())


def _one_named(catalog: Catalog, caller: Caller, name: str, kind: str, field: str) -> Model:
    try:
        model = meant(catalog, caller.model_names, name, kind)
        check_model(caller, model)
    except ServiceError as exc:
        exc.param = field
        raise
    return model


def _stand_ins(catalog: Catalog, caller: Caller, asked: Model, now: datetime) -> list[Priced]:
    """Return those that the catalogue names for the model, as far as the credential may use them.

    Whoever steers is no part of a canary.
    """
    names = [name for name in asked.fallbacks if name != asked.canary]
    known = [model for name in names if (model := catalog.find(name)) is not None]
    return [
        (model, price)
        for model in known
        if model.kind == asked.kind and may_use(caller, model) and (price := model.known_price_at(now)) is not None
    ]


def _check_names(catalog: Catalog, preferences: ProviderPreferences) -> None:
    known = {model.provider for model in catalog.models}
    for field in ("order", "only", "ignore"):
        for at, name in enumerate(getattr(preferences, field) or ()):
            if name.lower() not in known:
                raise invalid_field(
                    f"provider.{field}[{at}]", f"There is no provider `{name}`; known are {', '.join(sorted(known))}"
                )


def _filtered(named: list[Priced], preferences: ProviderPreferences) -> list[Priced]:
    only, ignored, order = (_lower(names) for names in (preferences.only, preferences.ignore, preferences.order))
    left = named
    if only:
        left = _kept(left, "only", lambda model, _: model.provider in only)
    if ignored:
        left = _kept(left, "ignore", lambda model, _: model.provider not in ignored)
    if order and preferences.allow_fallbacks is False:
        left = _kept(left, "order", lambda model, _: model.provider in order)
    if (dearest := preferences.max_price) is not None:
        left = _kept(left, "max_price", lambda _, price: _is_within(price, dearest))
    return left


def _kept(candidates: list[Priced], field: str, is_kept: Callable[[Model, Price], bool]) -> list[Priced]:
    kept = [candidate for candidate in candidates if is_kept(*candidate)]
    if not kept:
        raise invalid_field(f"provider.{field}", f"It leaves no model that may answer of {_shown(candidates)}")
    return kept


def _shown(candidates: Sequence[Priced]) -> str:
    return ", ".join(
        f"{model.id} ({model.provider}, {_per_million(price.input_micro_rub_per_1k)} ₽ in and "
        f"{_per_million(price.output_micro_rub_per_1k)} ₽ out per 1,000,000 tokens)"
        for model, price in candidates
    )


def _per_million(micro_rub_per_1k: int) -> str:
    return f"{Decimal(micro_rub_per_1k) / MICRO_PER_1K_OF_A_ROUBLE_PER_1M:f}"


def _is_within(price: Price, dearest: MaxPrice) -> bool:
    pairs = (
        (price.input_micro_rub_per_1k, dearest.prompt),
        (price.output_micro_rub_per_1k, dearest.completion),
    )
    return all(most is None or costs <= Decimal(str(most)) * MICRO_PER_1K_OF_A_ROUBLE_PER_1M for costs, most in pairs)


def _in_order(left: list[Priced], preferences: ProviderPreferences) -> list[Priced]:
    order = _lower(preferences.order)
    if order:
        return sorted(left, key=lambda candidate: _place(order, candidate[0].provider))
    if preferences.sort == "price":
        return sorted(left, key=lambda candidate: _sum_of_prices(candidate[1]))
    return left


def _sum_of_prices(price: Price) -> int:
    return price.input_micro_rub_per_1k + price.output_micro_rub_per_1k


def _place(order: Sequence[str], provider: str) -> int:
    return order.index(provider) if provider in order else len(order)


def _lower(names: Sequence[str] | None) -> list[str]:
    return [name.lower() for name in names or ()]
