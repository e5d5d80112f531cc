"""Calls of this process that wait in a queue; a call that cannot be served in time is refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router import metrics
from services.router.slots import refusals
from services.router.slots.fair_queue import Ticket
from services.router.slots.quota import Quota

# How much of a new measure enters the mean of how long slots are held.
_NEW_SHARE: Final = 0.1


@dataclass(slots=True)
class Waiter:
    """One waiting call; `until` is its deadline on the monotonic clock (None: never)."""

    ticket: Ticket
    until: float | None
    granted: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Waiters:
    """The waiting calls by ticket."""

    def __init__(self, line: str, quota: Quota, clock: Clock) -> None:
        self.quota = quota
        self._line = line
        self._clock = clock
        self._held_s = quota.period_s
        self._waiting: dict[str, Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(list(self._waiting.values()))

    def add(self, waiter: Waiter) -> None:
        """Begin to wait."""
        self._waiting[waiter.ticket.id] = waiter

    def remove(self, ticket_id: str) -> bool:
        """Wait no more; tell whether it did."""
        return self._waiting.pop(ticket_id, None) is not None

    def grant(self, ticket_id: str, credential: str) -> bool:
        """Give a waiting call its slot; tell whether there is still somebody to take it."""
        waiter = self._waiting.pop(ticket_id, None)
        if waiter is None or waiter.granted.done():
            return False
        waiter.granted.set_result(credential)
        return True

    def push_out(self, ticket_id: str) -> None:
        """Refuse a call because the line is full."""
        self._refuse(self._waiting.pop(ticket_id, None), "full", refusals.full(self.wait_s(0)))

    def late(self) -> ServiceError:
        """Return what a call is told whose time ran out here."""
        metrics.QUEUE_REFUSALS.labels(self._line, "late").inc()
        return refusals.too_late(self.wait_s(len(self._waiting)))

    def stands(self, ticket_id: str, ahead: int) -> None:
        """Note how many are before a call; refuse it when that takes longer than it may."""
        metrics.of_line(self._line).ahead.observe(ahead)
        waiter = self._waiting.get(ticket_id)
        if waiter is None or waiter.until is None:
            return
        wait_s, left_s = self.wait_s(ahead), waiter.until - self._clock.monotonic()
        if wait_s > left_s:
            self._refuse(waiter, "too_long", refusals.too_long(wait_s, left_s))

    def _refuse(self, waiter: Waiter | None, why: str, error: ServiceError) -> None:
        if waiter is not None and not waiter.granted.done():
            metrics.QUEUE_REFUSALS.labels(self._line, why).inc()
            waiter.granted.set_exception(error)

    def wait_s(self, ahead: int) -> float:
        """Return how long somebody waits behind so many; 0 while it is not known how long slots are held."""
        return (ahead + 1) * self._held_s / max(1, self.quota.capacity)

    def measured(self, held_s: float) -> None:
        """Learn from a slot that was given back."""
        if not self.quota.period_s:
            self._held_s += (held_s - self._held_s) * (_NEW_SHARE if self._held_s else 1.0)
