"""Catalogue changes by administrators; auth has verified who they are.

Prices and moves count from a moment to come and are never rewritten: every gateway knows them before that moment, so a
hold that it places is an upper bound.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest, NotFound, Unavailable, invalid_parameter
from servicekit.postgres import UNUSABLE
from services.router.catalog.build import price_entries
from services.router.catalog.document import ChannelEntry, ModelEntry, ProviderDocument
from services.router.catalog.live import LiveCatalog
from services.router.domain.catalog import Catalog, Model, Price
from services.router.domain.overrides import BadPatch, Move, Ordered, PatchOrder, PriceOrder, patched
from services.router.store import RouterStore

log = structlog.get_logger()

# Gateways look at the catalogue every few seconds.
LEAD: Final = timedelta(minutes=1)
HISTORY_MAX: Final = 100
# What `numeric(10, 6)` roubles can hold, in micro-roubles.
DEAREST: Final = 10_000 * 1_000_000 - 1
# What a model can do, and who answers for it, is the files' business: a gateway learns of an order up to three seconds
# after the routers, and holds for the fallbacks that it knows.
ORDERABLE: Final = frozenset(
    {"enabled", "name", "description", "priority", "canary", "successor", "deprecated_at", "shutdown_at"}
)


class CatalogAdministration:
    """Overrides, prices and moves: validated, stored, then announced to all replicas."""

    def __init__(
        self, live: LiveCatalog, store: RouterStore, announce: Callable[[], Awaitable[None]], clock: Clock
    ) -> None:
        self._live = live
        self._store = store
        self._announce = announce
        self._clock = clock

    async def overrides(self) -> tuple[list[PatchOrder], list[PatchOrder]]:
        """Return the overrides that count, and the last orders about them, newest first.

        Raises:
            Unavailable: PostgreSQL cannot be used.
        """
        with _database():
            return await self._store.find_patch_orders(), await self._store.find_patch_history(HISTORY_MAX)

    async def set_override(self, name: str, patch: Mapping[str, Any], by: str) -> PatchOrder:
        """Have a model differ from its file by exactly this.

        Raises:
            NotFound: no such model.
            InvalidRequest: a field is unknown or wrong; `param` names it.
            Unavailable: PostgreSQL cannot be used.
        """
        catalog = self._live.current()
        model = catalog.find(name)
        if model is None:
            raise NotFound(
                ErrorReason.NOT_FOUND, _unknown("model", name, (each.id for each in catalog.models)), param="model"
            )
        _check_patch(model, patch, catalog)
        ordered = self._ordered(by)
        with _database():
            await self._store.save_patch(model.id, patch, ordered)
        await self._announce()
        log.warning("router.override_ordered", model=model.id, fields=sorted(patch), by=by)
        return PatchOrder(model.id, patch, ordered)

    async def remove_override(self, name: str, by: str) -> None:
        """Have a model be as its file says.

        Raises:
            NotFound: nothing is different of it.
            Unavailable: PostgreSQL cannot be used.
        """
        model = self._live.current().find(name)
        # A model that left the files can still have one.
        id = name if model is None else model.id
        with _database():
            existed = await self._store.delete_patch(id, self._ordered(by))
        if not existed:
            text = f"There is no override of '{id[:128]}'. See GET /v1/admin/catalog/overrides."
            raise NotFound(ErrorReason.NOT_FOUND, text, param="model")
        await self._announce()
        log.warning("router.override_removed", model=id, by=by)

    async def prices(self, model: str) -> list[PriceOrder]:
        """Return the prices of a model, of the files and ordered, oldest first.

        Raises:
            NotFound: no such model.
            Unavailable: PostgreSQL cannot be used.
        """
        from_files = self._prices_of_files()
        if model not in from_files:
            raise _not_here("model", model, from_files)
        with _database():
            ordered = await self._store.find_price_orders(model)
        known = {price.valid_from: PriceOrder(price, source, None) for price, source in from_files[model]}
        known |= {order.price.valid_from: order for order in ordered}
        return [known[moment] for moment in sorted(known)]

    async def add_price(self, model: str, price: Price, source: str, by: str) -> PriceOrder:
        """Have a model, and the channels that stand for it, cost something else from a moment to come.

        Args:
            price: its version is given here.

        Raises:
            NotFound: no such model.
            InvalidRequest: an amount is out of range, the moment is not to come, or its day has a price already.
            Unavailable: PostgreSQL cannot be used.
        """
        known = await self.prices(model)
        _check_amounts(price)
        self._check_to_come("valid_from", price.valid_from)
        if _day(price) in {_day(order.price) for order in known}:
            raise _day_taken(price)
        ordered = self._ordered(by)
        version = f"{model}@{price.valid_from.astimezone(UTC):%Y-%m-%d}"
        order = PriceOrder(replace(price, version=version), source, ordered)
        with _database():
            saved = await self._store.save_price(model, order, ordered)
        if not saved:
            raise _day_taken(price)
        await self._announce()
        log.warning("router.price_ordered", version=version, by=by)
        return order

    async def move_channel(self, name: str, move: Move, by: str) -> str:
        """Have a channel stand for a model from a moment to come, and return its id.

        Raises:
            NotFound: no such channel.
            InvalidRequest: its provider has no such model that could take its place, or the moment is not to come or
                taken.
            Unavailable: PostgreSQL cannot be used.
        """
        document, channel = self._channel(name)
        self._check_to_come("since", move.since)
        target = _target(document, channel, move.model)
        known = await self.prices(target.id)
        if not any(order.price.valid_from <= move.since for order in known):
            raise _wrong("model", f"'{target.id}' has no price at that moment: give it one first")
        with _database():
            taken = {period.since for period in channel.periods}
            saved = move.since not in taken and await self._store.save_move(channel.id, move, self._ordered(by))
        if not saved:
            raise _wrong("since", "The channel moves at that moment already; moves are never rewritten")
        await self._announce()
        log.warning("router.move_ordered", channel=channel.id, model=move.model, by=by)
        return channel.id

    def _ordered(self, by: str) -> Ordered:
        return Ordered(by, self._clock.now())

    def _prices_of_files(self) -> dict[str, list[tuple[Price, str]]]:
        contents = self._live.contents
        return price_entries(contents.documents, contents.upstreams)

    def _check_to_come(self, field: str, moment: datetime) -> None:
        if moment < self._clock.now() + LEAD:
            text = "It must be a minute from now at least, so that every gateway knows it before it counts"
            raise _wrong(field, text)

    def _channel(self, name: str) -> tuple[ProviderDocument, ChannelEntry]:
        documents = self._live.contents.documents
        found = [(document, channel) for document in documents for channel in document.channels]
        for document, channel in found:
            if name.lower() in {channel.id.lower(), *map(str.lower, channel.aliases)}:
                return document, channel
        raise _not_here("channel", name, (channel.id for _, channel in found))


def patch_of(text: bytes) -> dict[str, Any]:
    """Return the fields that an override is to have.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    try:
        patch = json.loads(text)
    except ValueError:
        patch = None
    if not isinstance(patch, dict):
        raise _wrong("patch", "It must be a JSON object")
    return patch


def _check_patch(model: Model, patch: Mapping[str, Any], catalog: Catalog) -> None:
    """Refuse what a file could not say."""
    if strange := sorted(patch.keys() - ORDERABLE):
        raise _wrong(strange[0], f"Only {', '.join(sorted(ORDERABLE))} can be ordered; the rest stands in the files")
    if not patch:
        raise _wrong("patch", "There is nothing in it; an override is taken back by DELETE")
    try:
        changed = patched(model, patch)
    except BadPatch as exc:
        field, _, problem = str(exc).partition(": ")
        raise _wrong(field, f"It {problem}") from exc
    if "canary" in patch and changed.canary is not None:
        _check_named("canary.model", changed.canary.model, catalog)
    if patch.get("successor"):
        _check_named("successor", changed.successor, catalog)


def _check_named(field: str, name: str, catalog: Catalog) -> None:
    if catalog.find(name) is None:
        raise _wrong(field, f"There is no model '{name[:128]}'")


def _check_amounts(price: Price) -> None:
    amounts = {
        "input": price.input_micro_rub_per_1k,
        "output": price.output_micro_rub_per_1k,
        "cached": price.cached_micro_rub_per_1k,
    }
    for field, amount in amounts.items():
        if not 0 <= amount <= DEAREST:
            raise _wrong(field, "It must be 0 or more, and less than 10,000 roubles per 1,000 tokens")


def _target(document: ProviderDocument, channel: ChannelEntry, name: str) -> ModelEntry:
    """Return the model of the channel's provider that can take the place of the one it stands for."""
    by_id = {entry.id: entry for entry in document.models}
    kind = by_id[channel.periods[0].model].kind
    fit = {id: entry for id, entry in by_id.items() if entry.kind == kind and entry.enabled}
    if name not in fit:
        raise _wrong("model", _unknown("model", name, fit).removesuffix("."))
    return fit[name]


def _day(price: Price) -> str:
    return f"{price.valid_from.astimezone(UTC):%Y-%m-%d}"


def _day_taken(price: Price) -> InvalidRequest:
    return _wrong("valid_from", f"A price counts from {_day(price)} (UTC) already; prices are never rewritten")


def _wrong(field: str, problem: str) -> InvalidRequest:
    return invalid_parameter(field, f"{problem} (field `{field}`).")


def _not_here(what: str, given: str, known: Iterable[str]) -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, _unknown(what, given, known), param=what)


def _unknown(what: str, given: str, known: Iterable[str]) -> str:
    return f"There is no {what} '{given[:128]}' here; known are: {', '.join(sorted(known))}."


@contextmanager
def _database() -> Iterator[None]:
    try:
        yield
    except UNUSABLE as exc:
        text = "Orders are kept in PostgreSQL, which cannot be used now. Try again later."
        raise Unavailable(ErrorReason.DATABASE_ERROR, text, retry_after_s=5.0) from exc
