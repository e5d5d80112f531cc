"""Builds the catalogue of one moment from validated documents: channels resolved, prices dated and versioned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from services.router.catalog.document import (
    BatchShareEntry,
    CandidateEntry,
    ChannelEntry,
    ModelEntry,
    PriceEntry,
    ProviderDocument,
    UpstreamEntry,
    UpstreamModel,
)
from services.router.domain.catalog import BatchShare, Canary, Candidate, Catalog, Model, Price


class CatalogError(ValueError):
    """The files contradict themselves; the message names file-level ids and is fit for a log."""


def build_catalog(documents: Sequence[ProviderDocument], upstreams: Sequence[UpstreamEntry], now: datetime) -> Catalog:
    """Return the catalogue as of `now`.

    Raises:
        CatalogError: a model without a price, a name used twice, a channel or fallback to nowhere.
    """
    models: list[Model] = []
    for document in documents:
        models.extend(_provider_models(document, now))
    names = [*{document.provider for document in documents}, *(upstream.name for upstream in upstreams)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise CatalogError(f"two providers are called {min(twice)!r}")
    for upstream in upstreams:
        models.extend(_upstream_model(entry, upstream) for entry in upstream.models)
    _check(models)
    return Catalog(models, catalog_version(models))


def next_move(documents: Sequence[ProviderDocument], now: datetime) -> datetime | None:
    """Return when the first channel comes to stand for another model; None: none is known to."""
    periods = [period for document in documents for channel in document.channels for period in channel.periods]
    return min((period.since for period in periods if period.since > now), default=None)


def price_entries(
    documents: Sequence[ProviderDocument], upstreams: Sequence[UpstreamEntry]
) -> dict[str, list[tuple[Price, str]]]:
    """Return the prices of the files, with where they were read, by the id of the model; channels have none."""
    entries = {model.id: list(model.prices) for document in documents for model in document.models}
    for upstream in upstreams:
        entries |= {model.id: _upstream_prices(model) for model in upstream.models}
    return {id: [(_price(id, entry), entry.source) for entry in found] for id, found in entries.items()}


def catalog_version(models: Sequence[Model]) -> str:
    """Return a name that changes whenever a model or a price does."""
    # repr of frozensets follows the hash seed; replicas must agree.
    facts = sorted(repr((replace(model, features=frozenset()), sorted(model.features))) for model in models)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _provider_models(document: ProviderDocument, now: datetime) -> Iterator[Model]:
    by_id = {entry.id: entry for entry in document.models}
    for entry in document.models:
        if entry.listed:
            yield _model(entry, document)
    for channel in document.channels:
        yield _channel_model(channel, by_id, document, now)


def _model(entry: ModelEntry, document: ProviderDocument) -> Model:
    if not entry.prices:
        raise CatalogError(f"{document.provider}: model {entry.id!r} has no price")
    parameters = entry.supported_parameters
    return Model(
        id=entry.id,
        provider=document.provider,
        resolved_model=entry.uri,
        prices=tuple(_price(entry.id, price) for price in sorted(entry.prices, key=lambda price: price.valid_from)),
        aliases=entry.aliases,
        name=entry.name or entry.id,
        kind=entry.kind,
        surface=entry.surface,
        context_length=entry.context_length,
        max_output_tokens=entry.max_output_tokens,
        dimensions=entry.dimensions,
        modality=entry.modality,
        features=frozenset(entry.features),
        supported_parameters=document.supported_parameters if parameters is None else parameters,
        default_parameters=MappingProxyType({**document.default_parameters, **entry.default_parameters}),
        fallbacks=_candidates(entry.fallbacks),
        priority=entry.priority,
        enabled=entry.enabled,
        created_at=entry.created_at,
        deprecated_at=entry.deprecated_at,
        shutdown_at=entry.shutdown_at,
        successor=entry.successor,
        description=entry.description,
        chars_per_token=entry.chars_per_token or document.chars_per_token,
        tokens_per_message=(
            document.tokens_per_message if entry.tokens_per_message is None else entry.tokens_per_message
        ),
        on_disconnect=document.on_disconnect,
        batch_shares=_batch_shares(document.batch_shares if entry.batch_shares is None else entry.batch_shares),
    )


def _batch_shares(entries: Sequence[BatchShareEntry]) -> tuple[BatchShare, ...]:
    return tuple(BatchShare(entry.since, entry.percent) for entry in sorted(entries, key=lambda entry: entry.since))


def _candidates(entries: Sequence[CandidateEntry]) -> tuple[Candidate, ...]:
    return tuple(Candidate(entry.model, entry.priority, entry.weight) for entry in entries)


def _price(model_id: str, entry: PriceEntry) -> Price:
    return Price.of_roubles(model_id, entry.valid_from, input=entry.input, output=entry.output, cached=entry.cached)


def _channel_model(
    channel: ChannelEntry, by_id: dict[str, ModelEntry], document: ProviderDocument, now: datetime
) -> Model:
    periods = sorted(channel.periods, key=lambda period: period.since)
    targets = []
    for period in periods:
        if period.model not in by_id:
            raise CatalogError(f"{document.provider}: channel {channel.id!r} points at unknown {period.model!r}")
        targets.append(_model(by_id[period.model], document))
    current = max((at for at, period in enumerate(periods) if period.since <= now), default=0)
    ends = [*(period.since for period in periods[1:]), None]
    prices = [
        price
        for target, period, end in zip(targets, periods, ends, strict=True)
        for price in _during(target.prices, period.since, end)
    ]
    target = targets[current]
    return replace(
        target,
        id=channel.id,
        prices=tuple(prices),
        aliases=channel.aliases,
        name=channel.name or channel.id,
        version=channel.version,
        fallbacks=target.fallbacks if channel.fallbacks is None else _candidates(channel.fallbacks),
        priority=channel.priority,
        canary=_canary(channel),
        successor=_successor(channel, document) or target.successor,
        enabled=channel.enabled and target.enabled,
        created_at=channel.created_at or target.created_at,
        deprecated_at=channel.deprecated_at or target.deprecated_at,
        shutdown_at=channel.shutdown_at or target.shutdown_at,
        resolved_since=periods[current].since,
        description=channel.description or target.description,
    )


def _canary(channel: ChannelEntry) -> Canary | None:
    rule = channel.canary
    return None if rule is None else Canary(rule.model, rule.percent, rule.by)


def _successor(channel: ChannelEntry, document: ProviderDocument) -> str:
    if channel.successor or channel.version != "deprecated":
        return channel.successor
    latest = channel.id.removesuffix(":deprecated") + ":latest"
    return latest if latest in {other.id for other in document.channels} else ""


def _during(prices: Sequence[Price], since: datetime, until: datetime | None) -> Iterator[Price]:
    """Yield the prices of a model while a channel points at it; the first one starts with the period."""
    for price, following in zip(prices, [*prices[1:], None], strict=True):
        ends = following.valid_from if following is not None else None
        starts_in_time = until is None or price.valid_from < until
        if starts_in_time and (ends is None or ends > since):
            yield replace(price, valid_from=max(price.valid_from, since))


def _upstream_model(entry: UpstreamModel, upstream: UpstreamEntry) -> Model:
    prices = _upstream_prices(entry)
    if not prices:
        raise CatalogError(f"upstream {upstream.name!r}: model {entry.id!r} has no price")
    return Model(
        id=entry.id,
        provider=upstream.name,
        resolved_model=entry.uri or entry.id,
        prices=tuple(_price(entry.id, price) for price in sorted(prices, key=lambda price: price.valid_from)),
        aliases=entry.aliases,
        name=entry.name or entry.id,
        kind=entry.kind,
        surface="openai",
        context_length=entry.context_length,
        max_output_tokens=entry.max_output_tokens,
        features=frozenset(entry.features),
        fallbacks=_candidates(entry.fallbacks),
        chars_per_token=entry.chars_per_token,
        tokens_per_message=4,
        on_disconnect=upstream.on_disconnect,
    )


def _upstream_prices(entry: UpstreamModel) -> list[PriceEntry]:
    return [*entry.prices, *([entry.price] if entry.price is not None else [])]


def _check(models: Sequence[Model]) -> None:
    owner: dict[str, str] = {}
    for model in models:
        for name in {model.id.lower(), *(alias.lower() for alias in model.aliases)}:
            if owner.setdefault(name, model.id) != model.id:
                raise CatalogError(f"the name {name!r} stands for both {owner[name]!r} and {model.id!r}")
    if len({model.id for model in models}) != len(models):
        raise CatalogError("two models have the same id")
    for model in models:
        for fallback in model.fallbacks:
            if fallback.model.lower() not in owner:
                raise CatalogError(f"model {model.id!r} falls back to unknown {fallback.model!r}")
        if model.canary is not None and model.canary.model.lower() not in owner:
            raise CatalogError(f"model {model.id!r} has a canary of unknown {model.canary.model!r}")
        if model.successor and model.successor.lower() not in owner:
            raise CatalogError(f"model {model.id!r} is succeeded by unknown {model.successor!r}")
