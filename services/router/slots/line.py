"""The queue of one quota in this process: calls that want slots, and the slots it holds for them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

import structlog

from servicekit.clock import Clock
from services.router import metrics
from services.router.slots.alone import LineAlone
from services.router.slots.asker import Asker
from services.router.slots.exchange import Exchange, ExchangeLost
from services.router.slots.fair_queue import Ticket
from services.router.slots.holdings import Holdings
from services.router.slots.quota import Quota, Slot
from services.router.slots.settings import SlotSettings
from services.router.slots.statements import Statements
from services.router.slots.waiters import Waiter, Waiters
from services.router.slots.wire import FULL, Heard

log = structlog.get_logger()

TICK_S: Final = 1.0
# Answers that may fail to come in a row: one may be a moment's.
LOSSES: Final = 2
EVERYBODY: Final = "*"


class SlotLine:
    """Gives out slots: one kept here at once, else through the shared queue in Redis; without Redis, our share.

    Args:
        name: the same at every replica, for metrics and keys.
        replica: this process.
    """

    def __init__(
        self, name: str, replica: str, quota: Quota, exchange: Exchange, clock: Clock, settings: SlotSettings
    ) -> None:
        self.name = name
        self._replica = replica
        self._exchange = exchange
        self._clock = clock
        self._settings = settings
        self._holdings = Holdings()
        self._waiters = Waiters(name, quota, clock)
        self._statements = Statements(replica, settings)
        self._alone: LineAlone | None = None
        self._news = asyncio.Event()
        self._tickets = 0
        self._crowded = False
        """Somebody waits, here or elsewhere: what is free goes back to the line."""
        self._losses = 0
        self._replicas = settings.replicas
        self._asked_at = clock.monotonic()
        self._metrics = metrics.of_line(name)
        metrics.SLOTS_QUOTA.labels(name).set_function(lambda: self.quota.capacity)

    @property
    def quota(self) -> Quota:
        """Return what the provider allows."""
        return self._waiters.quota

    def change(self, quota: Quota) -> None:
        """Give out what the provider allows from now on."""
        self._waiters.quota = quota
        self._holdings.keep_none()
        self.look()

    async def take(self, asker: Asker, until: float | None, wanted: int = 1, avoided: tuple[str, ...] = ()) -> Slot:
        """Return a slot, as soon as it is the asker's turn.

        Args:
            asker: who asks.
            until: when it is too late, on the monotonic clock; None: never.
            wanted: calls that are to be made at once; the slot is of one at least.
            avoided: credentials whose slots are left to others.

        Raises:
            Unavailable: the line is full, or the turn would come too late; it says when to try again.
        """
        began = self._asked_at = self._clock.monotonic()
        credential = self._at_once(avoided)
        if not credential:
            credential = await self._wait(asker, until, avoided)
        now = self._clock.monotonic()
        slot = Slot(credential, now - began, now, self._given_back)
        while slot.count < wanted and self._keeps and self._holdings.use_idle(credential):
            slot.count += 1
        self._metrics.wait.observe(slot.queued_s)
        self._metrics.waiting.set(len(self._waiters))
        self._metrics.in_use.set(self._holdings.used_count)
        if self.quota.period_s:
            slot.is_held = False
            self._free_later(self.quota.period_s, slot)
        return slot

    @property
    def _keeps(self) -> bool:
        return not self._crowded and self._alone is None

    def _at_once(self, avoided: tuple[str, ...]) -> str:
        if self._alone is not None:
            # Whether Redis is back is asked while there are calls.
            self._news.set()
            return self._alone.at_once(avoided)
        return "" if self._crowded else self._holdings.use_idle(avoided=avoided)

    async def _wait(self, asker: Asker, until: float | None, avoided: tuple[str, ...]) -> str:
        waiter = self._joined(asker, until, avoided)
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._clock.monotonic())):
                return await waiter.granted
        except TimeoutError as exc:
            self._give_up(waiter)
            raise self._waiters.late() from exc
        except BaseException:
            self._give_up(waiter)
            raise

    def _joined(self, asker: Asker, until: float | None, avoided: tuple[str, ...]) -> Waiter:
        self._tickets += 1
        user = hashlib.blake2b(asker.user.encode(), digest_size=8).hexdigest()
        share = self._settings.shares.get(asker.tier, 1.0)
        waiter = Waiter(Ticket(f"{self._replica}.{self._tickets}", user, share, avoided), until)
        self._waiters.add(waiter)
        if self._alone is not None:
            self._alone.join(waiter)
        else:
            self._statements.join(waiter.ticket)
        self._news.set()
        self._metrics.waiting.set(len(self._waiters))
        return waiter

    def _give_up(self, waiter: Waiter) -> None:
        """Forget somebody who waits no more; what was given in the same moment is given back."""
        ticket_id, granted = waiter.ticket.id, waiter.granted
        if self._waiters.remove(ticket_id):
            if self._alone is not None:
                self._alone.leave(ticket_id)
            else:
                self._statements.leave(ticket_id)
            self._news.set()
        elif granted.done() and not granted.cancelled() and granted.exception() is None:
            self._free(granted.result())
        self._metrics.waiting.set(len(self._waiters))

    def _given_back(self, slot: Slot, cut: bool) -> None:
        self._waiters.measured(self._clock.monotonic() - slot.taken_at)
        if cut and self._settings.rest_s:
            self._free_later(self._settings.rest_s, slot)
        else:
            self._free(slot.credential, slot.count)

    def _free_later(self, seconds: float, slot: Slot) -> None:
        asyncio.get_running_loop().call_later(seconds, self._free, slot.credential, slot.count)

    def _free(self, credential: str, count: int = 1) -> None:
        for _ in range(count):
            self._holdings.end_use(credential)
            if self._keeps and self._holdings.idle_count < self._kept:
                self._holdings.keep({credential: 1})
            else:
                self._news.set()
        if self._alone is not None:
            self._alone.serve()
        self._metrics.in_use.set(self._holdings.used_count)

    @property
    def _kept(self) -> int:
        """Return how many slots may be kept here: all replicas together keep half of them at most."""
        return self.quota.capacity // (2 * self._replicas)

    async def serve(self) -> None:
        """Tell the line what there is to tell, for ever; cancel it to stop."""
        while True:
            try:
                # With nothing held and nobody waiting there is nothing to tell.
                async with asyncio.timeout(TICK_S if self._holdings or self._waiters else None):
                    await self._news.wait()
            except TimeoutError:
                self._give_back_idle()
            self._news.clear()
            await self._tell()
            if self._alone is not None:
                await self._clock.sleep(TICK_S)

    async def leave(self) -> None:
        """Give everything back, for good."""
        if not self._statements.known:
            return
        try:
            await self._exchange.tell(self.name, self._statements.goodbye(self.quota.limits))
        except ExchangeLost:
            log.warning("router.slots_not_given_back", line=self.name, lease_s=self._settings.lease_s)

    def hear(self, whom: str) -> None:
        """Hear that somebody begins to wait (EVERYBODY), or that a replica is given something."""
        if whom == EVERYBODY and self._holdings:
            self._crowded = True
            self._return_idle()
        elif whom == self._replica:
            self._news.set()

    def look(self) -> None:
        """Ask the line: something may have been missed."""
        if self._holdings or self._waiters:
            self._news.set()

    def _return_idle(self) -> None:
        if self._holdings.idle_count:
            self._holdings.keep_none()
            self._news.set()

    def _give_back_idle(self) -> None:
        if not self._is_asked:
            self._holdings.keep_none()

    @property
    def _is_asked(self) -> bool:
        return self._clock.monotonic() - self._asked_at < self._settings.idle_s

    async def _tell(self) -> None:
        wants = max(0, self._kept - self._holdings.idle_count) if self._keeps and self._is_asked else 0
        told = self._statements.next(self._holdings.total(), wants, self.quota.limits)
        try:
            heard = await self._exchange.tell(self.name, told)
        except ExchangeLost as exc:
            self._lost(str(exc))
            return
        self._losses = 0
        self._metrics.told.inc()
        self._come_back()
        if not heard.stale:
            self._statements.heard(told)
            self._act_on(heard)

    def _act_on(self, heard: Heard) -> None:
        self._replicas = max(1, heard.replicas)
        self._crowded = heard.waiting > 0
        self._holdings.keep(heard.spare)
        for ticket_id, credential in heard.given:
            self._given(ticket_id, credential)
        for ticket_id, ahead in heard.ahead:
            self._waiters.stands(ticket_id, ahead)
        if heard.forgotten:
            self._join_all()
        if self._crowded:
            self._return_idle()

    def _given(self, ticket_id: str, credential: str) -> None:
        self._statements.took(ticket_id)
        if credential == FULL:
            self._waiters.push_out(ticket_id)
            return
        self._holdings.use(credential)
        if not self._waiters.grant(ticket_id, credential):
            self._free(credential)

    def _join_all(self) -> None:
        for waiter in self._waiters:
            self._statements.join(waiter.ticket)
            self._news.set()

    def _lost(self, why: str) -> None:
        metrics.SLOT_EXCHANGES.labels(self.name, "lost").inc()
        self._losses += 1
        if self._alone is None and self._losses < LOSSES:
            self._news.set()
        elif self._alone is None:
            self._go_alone(why)

    def _go_alone(self, why: str) -> None:
        log.warning("router.slots_alone", line=self.name, replicas=self._replicas, error=why)
        self._metrics.alone.set(1)
        for waiter in self._waiters:
            # Whom Redis still knows is served here.
            self._statements.leave(waiter.ticket.id)
        places = max(1, self._settings.places // self._replicas)
        self._alone = LineAlone(self._holdings, self._waiters, replicas=self._replicas, places=places)

    def _come_back(self) -> None:
        """Share again: what is used here has been told, and all who wait join the line."""
        if self._alone is not None:
            log.info("router.slots_shared_again", line=self.name)
            self._metrics.alone.set(0)
            self._alone = None
            self._join_all()
