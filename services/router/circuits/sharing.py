"""Shares circuits and drains between routers: published over Redis at once, read from PostgreSQL every few seconds.

Either alone is enough, a little later; with neither, each router goes by what it sees itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.postgres import UNUSABLE
from servicekit.redis import LOST
from services.router import metrics as router_metrics
from services.router.circuits import metrics
from services.router.circuits.channel import News, NewsChannel
from services.router.circuits.circuits import Circuits
from services.router.circuits.domain.news import Change
from services.router.circuits.store import CircuitStore

log = structlog.get_logger()

RECONNECT_S: Final = 0.5
# Far more than there are circuits: only a Redis that hangs can fill it.
WAITING_MAX: Final = 1000


class CircuitSharing:
    """Tells the other routers about changes here, and applies theirs."""

    def __init__(self, circuits: Circuits, store: CircuitStore, channel: NewsChannel, clock: Clock) -> None:
        self._circuits = circuits
        self._store = store
        self._channel = channel
        self._clock = clock
        self._looking = asyncio.Lock()
        self._waiting: asyncio.Queue[Change] = asyncio.Queue(WAITING_MAX)
        self.on_seen: Callable[[bytes], None] = lambda _: None
        self.on_orders: Callable[[], Awaitable[None]] = _nothing
        """Reads what other rooms keep of administrators' orders.

        Called when a peer, or this replica, was given one, and whenever one may have been missed.
        """
        circuits.on_change = self.note

    def note(self, change: Change) -> None:
        """Have a change told; never waits: it is called while a request is being answered."""
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            metrics.SHARED.labels("sent", "failed").inc()

    async def tell(self) -> None:
        """Tell changes as they come, for ever."""
        while True:
            await self.tell_one(await self._waiting.get())

    async def tell_one(self, change: Change) -> None:
        """Say a change, and write it for those who do not hear it; a pause is said only."""
        try:
            await self._channel.tell_change(change)
            metrics.SHARED.labels("sent", "ok").inc()
        except LOST:
            metrics.SHARED.labels("sent", "failed").inc()
        if change.is_cooling:
            return
        try:
            await self._store.save_change(change, self._channel.replica, self._clock.now())
        except UNUSABLE as exc:
            router_metrics.STORE_FAILURES.labels("postgres").inc()
            log.warning("router.circuit_not_written", reason=name_of(exc))

    async def listen(self) -> None:
        """Hear the peers, for ever."""
        while True:
            try:
                await self._channel.listen(self._look_at_orders, self._heard)
            except LOST as exc:
                router_metrics.STORE_FAILURES.labels("redis").inc()
                log.warning("router.news_disconnected", reason=name_of(exc))
            await self._clock.sleep(RECONNECT_S)

    async def _heard(self, news: News) -> None:
        metrics.SHARED.labels("heard", "ok").inc()
        if news.change is not None:
            self._circuits.adopt(news.change.change())
        if news.look:
            await self._look_at_orders()
        if news.seen:
            self.on_seen(bytes(news.seen))

    async def announce(self) -> None:
        """Have what an administrator ordered count, here and at the peers."""
        await self._look_at_orders()
        try:
            await self._channel.tell_look()
        except LOST:
            # They look by themselves, within seconds.
            router_metrics.STORE_FAILURES.labels("redis").inc()

    async def _look_at_orders(self) -> None:
        await self.look()
        await self.on_orders()

    async def watch(self, every_s: float) -> None:
        """Read the tables, for ever."""
        while True:
            await self.look()
            await self._clock.sleep(every_s)

    async def look(self) -> None:
        """Take over what the tables say; without PostgreSQL everything stays."""
        # One look after the other: of two at once an older answer could come last, and end a drain that was just begun.
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        try:
            changes, drains = await self._store.find_changes(), await self._store.find_drains()
        except UNUSABLE as exc:
            metrics.SHARED.labels("read", "failed").inc()
            log.warning("router.circuits_unavailable", reason=name_of(exc))
            return
        for change in changes:
            self._circuits.adopt(change)
        self._circuits.set_drains(drains)


async def _nothing() -> None:
    """Without other rooms there is nothing more to read."""
