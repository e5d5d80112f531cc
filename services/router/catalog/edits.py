"""Applies an administrator's prices and channel moves to the documents: channels follow their models' prices."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import structlog

from services.router.catalog.document import ChannelEntry, ModelEntry, Period, PriceEntry, ProviderDocument
from services.router.domain.catalog import Price
from services.router.domain.overrides import Move, Overrides

log = structlog.get_logger()


def edited(documents: Sequence[ProviderDocument], overrides: Overrides) -> tuple[list[ProviderDocument], str]:
    """Return the documents with what was ordered, and the first move to a model that is gone: those are left out."""
    found, bad = [], ""
    for document in documents:
        models = tuple(_priced(entry, overrides.prices.get(entry.id, ())) for entry in document.models)
        known = {entry.id for entry in models}
        channels = []
        for channel in document.channels:
            moves, lost = _sorted_out(overrides.moves.get(channel.id, ()), known)
            bad = bad or (f"{channel.id}: there is no model {lost!r}" if lost else "")
            channels.append(_moved(channel, moves))
        found.append(document.model_copy(update={"models": models, "channels": tuple(channels)}))
    return found, bad


def _sorted_out(moves: Sequence[Move], known: Collection[str]) -> tuple[list[Move], str]:
    """Return the moves to models that are there, and the first model that is not."""
    lost = [move.model for move in moves if move.model not in known]
    if lost:
        log.error("router.move_refused", model=lost[0])
    return [move for move in moves if move.model in known], lost[0] if lost else ""


def _priced(entry: ModelEntry, prices: Sequence[Price]) -> ModelEntry:
    """Return the model with further prices; one of the same moment replaces the file's."""
    if not prices:
        return entry
    ordered = {price.valid_from for price in prices}
    kept = [price for price in entry.prices if price.valid_from not in ordered]
    return entry.model_copy(update={"prices": (*kept, *map(_entry, prices))})


def _entry(price: Price) -> PriceEntry:
    input_, output, cached = price.roubles
    return PriceEntry(valid_from=price.valid_from, input=input_, output=output, cached=cached)


def _moved(channel: ChannelEntry, moves: Sequence[Move]) -> ChannelEntry:
    """Return the channel with further periods; one of the same moment replaces the file's."""
    if not moves:
        return channel
    ordered = {move.since for move in moves}
    kept = [period for period in channel.periods if period.since not in ordered]
    added = [Period(since=move.since, model=move.model) for move in moves]
    return channel.model_copy(update={"periods": (*kept, *added)})
