"""Tells PostgreSQL what this router sees of the providers, and learns what its peers see. Never per request."""

from __future__ import annotations

import structlog

from servicekit.clock import Clock
from services.router import metrics
from services.router.domain.catalog import Catalog
from services.router.domain.health import HealthTracker, ModelHealth
from services.router.store import UNUSABLE, RouterStore

log = structlog.get_logger()


class StatusReporter:
    """Exchanges observations every few seconds."""

    def __init__(self, tracker: HealthTracker, store: RouterStore, clock: Clock) -> None:
        self._tracker = tracker
        self._store = store
        self._clock = clock
        self._peers: dict[tuple[str, str], ModelHealth] = {}
        self._written: dict[tuple[str, str], ModelHealth] = {}

    async def run(self, every_s: float) -> None:
        """Exchange for ever."""
        while True:
            await self._clock.sleep(every_s)
            await self.exchange()

    async def exchange(self) -> None:
        """Write what changed, then read what all have written."""
        seen = [health for health in self._tracker if self._written.get((health.provider, health.model)) != health]
        try:
            if seen:
                await self._store.save_status(seen)
                self._written.update({(health.provider, health.model): health for health in seen})
            self._peers = {(health.provider, health.model): health for health in await self._store.find_status()}
        except UNUSABLE as exc:
            metrics.STORE_FAILURES.labels("postgres").inc()
            log.warning("router.status_not_written", reason=type(exc).__name__)

    def statuses(self, catalog: Catalog) -> list[ModelHealth]:
        """Return one line for each model of the catalogue: the newer of our own and the peers' observations."""
        return [self._one(model.provider, model.id) for model in catalog.models]

    def _one(self, provider: str, model: str) -> ModelHealth:
        own, peer = self._tracker.find(provider, model), self._peers.get((provider, model))
        if own is not None and peer is not None:
            return max(own, peer, key=lambda health: health.updated_at)
        return own or peer or ModelHealth(provider, model, "unknown", 0, 0.0, self._clock.now())
