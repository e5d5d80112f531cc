"""The catalogue in force: files and overrides, reloaded when they change; a bad change is refused and reported."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.postgres import UNUSABLE
from services.router import metrics
from services.router.cache import ChannelCache
from services.router.catalog.build import CatalogError, build_catalog, catalog_version, next_move
from services.router.catalog.edits import edited
from services.router.catalog.files import CatalogFiles, Files, Stamp
from services.router.domain.catalog import Catalog, Model
from services.router.domain.overrides import BadPatch, Overrides, patched, with_prices
from services.router.store import RouterStore

log = structlog.get_logger()

LONGEST_REASON: Final = 300


class _Built(NamedTuple):
    """The result of a reload: the models, overrides that were left out, and when a channel moves next."""

    models: Sequence[Model]
    bad: str
    moves_at: datetime | None


class LiveCatalog:
    """Holds the newest valid catalogue; requests under way keep the one they began with."""

    def __init__(self, files: CatalogFiles, store: RouterStore, channels: ChannelCache, clock: Clock) -> None:
        self._files = files
        self._store = store
        self._channels = channels
        self._clock = clock
        self._stamp: Stamp = files.stamp()
        self._contents: Files = files.read()
        self._overrides = Overrides()
        self._looking = asyncio.Lock()
        self._refused: dict[str, str] = {}
        self._resolved: dict[str, tuple[str, datetime]] = {}
        self._catalog = build_catalog(self._contents.documents, self._contents.upstreams, clock.now())
        self._moves_at = next_move(self._contents.documents, clock.now())
        self._react: Callable[[Files], None] = lambda _: None
        self._publish(self._catalog)

    def current(self) -> Catalog:
        """Return the catalogue in force."""
        if self._moves_at is not None and self._clock.now() >= self._moves_at:
            # At this very moment, for then each gateway takes the price of the model that a channel stands for now.
            self._moves_at = None
            self._take_over(self._overrides)
        return self._catalog

    @property
    def contents(self) -> Files:
        """What the files said when they were last good."""
        return self._contents

    def resolved_at(self, channel: str) -> datetime | None:
        """Return when the channel's present model was first seen."""
        entry = self._resolved.get(channel)
        return entry[1] if entry is not None else None

    @property
    def refused(self) -> Sequence[str]:
        """What was not taken over, a sentence for each source; empty when all is well."""
        return [f"{source} refused, the last good state counts: {why}" for source, why in self._refused.items()]

    def on_files(self, react: Callable[[Files], None]) -> None:
        """Call `react` with the files' contents before a changed catalogue counts."""
        self._react = react

    async def watch_files(self, every_s: float) -> None:
        """Read the files again whenever one changes."""
        while True:
            await self._clock.sleep(every_s)
            await self.look_at_files()

    async def watch_overrides(self, every_s: float) -> None:
        """Fetch the overrides, and note the channels that have moved."""
        while True:
            await self.look_at_overrides()
            await self.look_at_channels()
            await self._clock.sleep(every_s)

    async def look_at_files(self) -> None:
        """Take over changed files; keep the last good ones when they are bad."""
        stamp = await asyncio.to_thread(self._files.stamp)
        has_changed, self._stamp = stamp != self._stamp, stamp
        # What was refused is read again though no file has changed: it was not to be read for a moment, was given other
        # rights, or could not stand beside an order that is another one now.
        if not has_changed and "files" not in self._refused:
            return
        try:
            contents = await asyncio.to_thread(self._files.read)
            build_catalog(contents.documents, contents.upstreams, self._clock.now())
            # With what administrators ordered, too: a channel may have been moved to a model that has no price now.
            built = self._built(contents, self._overrides)
        except CatalogError as exc:
            if has_changed:
                metrics.CATALOG_RELOADS.labels("refused").inc()
                log.error("router.catalog_refused", reason=str(exc))
            self._note("files", str(exc))
            return
        self._note("files", "")
        self._contents = contents
        # Providers first: a model must never be offered before somebody can be asked for it.
        self._react(contents)
        self._take(built)
        metrics.CATALOG_RELOADS.labels("ok").inc()

    async def look_at_overrides(self) -> None:
        """Take over the administrator's changes; without PostgreSQL the last known ones stay."""
        # One look after the other: of two at once an older answer could come last, and stand until the next.
        async with self._looking:
            await self._look_at_overrides()

    async def _look_at_overrides(self) -> None:
        try:
            overrides = await self._store.find_overrides()
        except UNUSABLE as exc:
            metrics.STORE_FAILURES.labels("postgres").inc()
            log.warning("router.overrides_unavailable", reason=name_of(exc))
            overrides = self._overrides
        self._take_over(overrides)

    def _take_over(self, overrides: Overrides) -> None:
        try:
            # Also without a change: a channel's day may have come.
            self._take(self._built(self._contents, overrides))
        except CatalogError as exc:
            log.error("router.overrides_refused", reason=str(exc))
            self._note("overrides", str(exc))
            return
        self._overrides = overrides

    def _note(self, source: str, why: str) -> None:
        """Remember why a source is refused; empty: it is not. Folders are nobody's business."""
        self._refused.pop(source, None)
        if why:
            first = why.splitlines()[0][:LONGEST_REASON]
            self._refused[source] = re.sub(r"\S*/", "", first)
        metrics.CATALOG_REFUSED.labels(source).set(1 if why else 0)

    async def look_at_channels(self) -> None:
        """Note in Redis which model each channel stands for, with the date on which that was first seen."""
        known = await self._channels.load()
        for model in self._catalog.models:
            if not model.version:
                continue
            entry = (known if known is not None else self._resolved).get(model.id)
            if entry is None or entry[0] != model.resolved_model:
                if entry is not None:
                    log.info("router.channel_moved", channel=model.id, before=entry[0], now=model.resolved_model)
                entry = (model.resolved_model, self._clock.now())
                await self._channels.save(model.id, *entry)
            self._resolved[model.id] = entry

    def _built(self, contents: Files, overrides: Overrides) -> _Built:
        """Return what files and overrides say together.

        Raises:
            CatalogError: they are no catalogue.
        """
        now = self._clock.now()
        documents, bad_move = edited(contents.documents, overrides)
        built = build_catalog(documents, contents.upstreams, now)
        models, bad_patch = _overridden(built.models, overrides)
        return _Built(models, bad_patch or bad_move, next_move(documents, now))

    def _take(self, built: _Built) -> None:
        self._note("overrides", built.bad)
        self._moves_at = built.moves_at
        version = catalog_version(built.models)
        if version != self._catalog.version:
            self._publish(Catalog(built.models, version))

    def _publish(self, catalog: Catalog) -> None:
        before, self._catalog = self._catalog, catalog
        log.info("router.catalog_loaded", version=catalog.version, models=len(catalog.models))
        # Of a provider that left the catalogue: none, not the last ones.
        counts = {model.provider: 0 for model in before.models}
        for model in catalog.models:
            counts[model.provider] = counts.get(model.provider, 0) + 1
        for provider, count in counts.items():
            metrics.CATALOG_MODELS.labels(provider).set(count)
        _show_versions(catalog.models)


def _show_versions(models: Sequence[Model]) -> None:
    """Export what each model stands for and when it ends; what left the catalogue leaves the metrics."""
    metrics.MODEL_RESOLVED.clear()
    metrics.MODEL_SHUTDOWN.clear()
    for model in models:
        metrics.MODEL_RESOLVED.labels(model.provider, model.id, model.resolved_model).set(1)
        if model.shutdown_at is not None:
            metrics.MODEL_SHUTDOWN.labels(model.provider, model.id).set(model.shutdown_at.timestamp())


def _overridden(models: Sequence[Model], overrides: Overrides) -> tuple[list[Model], str]:
    """Return the models with what the administrator changed, and the first bad patch: those are left out."""
    changed, bad = [], ""
    for model in models:
        patch = overrides.patches.get(model.id)
        if patch:
            try:
                model = patched(model, patch)
            except BadPatch as exc:
                log.error("router.override_refused", model=model.id, reason=str(exc))
                bad = bad or f"{model.id}: {exc}"
        prices = overrides.prices.get(model.id)
        changed.append(with_prices(model, prices) if prices else model)
    return changed, bad
