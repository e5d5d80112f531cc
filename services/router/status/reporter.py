"""Aggregates the status seen by all routers; one of them stores it. Never runs per request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.postgres import UNUSABLE
from servicekit.redis import LOST
from services.router import metrics
from services.router.circuits.channel import NewsChannel
from services.router.circuits.circuits import Circuits
from services.router.domain.catalog import Catalog, Model
from services.router.status.domain.health import UNKNOWN, HealthTracker, ModelHealth, Seen
from services.router.status.domain.judgement import begun, judged
from services.router.status.store import StatusStore

log = structlog.get_logger()

FORGET_EVERY: Final = timedelta(hours=1)
_SEEN: Final = msgspec.json.Decoder(list[Seen])
Key = tuple[str, str]


class StatusReporter:
    """Exchanges observations between routers every few seconds, and reports the status."""

    def __init__(
        self,
        tracker: HealthTracker,
        circuits: Circuits,
        store: StatusStore,
        channel: NewsChannel,
        clock: Clock,
        *,
        history_days: int,
    ) -> None:
        self._tracker = tracker
        self._circuits = circuits
        self._store = store
        self._channel = channel
        self._clock = clock
        self._history = timedelta(days=history_days)
        self._forgotten_at: datetime | None = None
        # What the table says, and what was last found here: a status begins when it differs.
        self._written: dict[Key, ModelHealth] = {}
        self._told: dict[Key, ModelHealth] = {}

    async def run(self, every_s: float, catalog: Callable[[], Catalog]) -> None:
        """Exchange for ever."""
        while True:
            await self._clock.sleep(every_s)
            await self.exchange(catalog(), every_s)

    def hear(self, told: bytes) -> None:
        """Count what a peer has seen."""
        try:
            self._tracker.absorb(_SEEN.decode(told), self._clock.now(), self._clock.monotonic())
        except msgspec.DecodeError:
            log.warning("router.observations_unreadable")

    async def exchange(self, catalog: Catalog, every_s: float = 5.0) -> None:
        """Tell the peers what was seen here, write it when that is this router's task, read what is written."""
        await self._tell()
        try:
            self._written = {(each.provider, each.model): each for each in await self._store.find()}
            now = self._clock.now()
            if await self._store.become_writer(self._channel.replica, now + timedelta(seconds=3 * every_s), now):
                await self._write(catalog)
        except UNUSABLE as exc:
            metrics.STORE_FAILURES.labels("postgres").inc()
            log.warning("router.status_not_written", reason=name_of(exc))

    def statuses(self, catalog: Catalog) -> list[ModelHealth]:
        """Return one line for each model of the catalogue."""
        return [self._one(model) for model in catalog.models]

    async def _tell(self) -> None:
        untold = self._tracker.take_untold()
        if not untold:
            return
        try:
            await self._channel.tell_seen(msgspec.json.encode(untold))
        except LOST:
            metrics.STORE_FAILURES.labels("redis").inc()

    async def _write(self, catalog: Catalog) -> None:
        known = [
            each
            for each in self.statuses(catalog)
            if each.status != UNKNOWN or self._status_written(each) not in (None, UNKNOWN)
        ]
        changed = [each for each in known if self._written.get((each.provider, each.model)) != each]
        fresh = [each for each in changed if self._is_new(each)]
        if changed:
            await self._store.save(changed, fresh, self._clock.now())
            self._written.update({(each.provider, each.model): each for each in changed})
        now = self._clock.now()
        if self._forgotten_at is None or now - self._forgotten_at >= FORGET_EVERY:
            self._forgotten_at = now
            await self._store.forget_history(now - self._history)

    def _status_written(self, health: ModelHealth) -> str | None:
        written = self._written.get((health.provider, health.model))
        return None if written is None else written.status

    def _is_new(self, health: ModelHealth) -> bool:
        before = self._written.get((health.provider, health.model))
        return before is None or (before.status, before.since) != (health.status, health.since)

    def _one(self, model: Model) -> ModelHealth:
        key, now = (model.provider, model.id), self._clock.now()
        written = self._written.get(key)
        seen = self._tracker.find(*key, self._clock.monotonic())
        circuit = self._circuits.view(model)
        if seen is None:
            # Nobody has asked lately: what calls said last still counts; what an open circuit said does not.
            unknown = ModelHealth(*key, UNKNOWN, 0, 0.0, now)
            seen = written if written is not None and written.is_by_calls else unknown
        health = begun(judged(seen, circuit), self._told.get(key) or written, now)
        self._told[key] = health
        return health
