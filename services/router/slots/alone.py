"""The queue while Redis is down: this replica's share of the quota, in the same order, for its own calls."""

from __future__ import annotations

from collections.abc import Collection

from services.router.slots.fair_queue import FairQueue, Ticket
from services.router.slots.holdings import Holdings
from services.router.slots.waiters import Waiter, Waiters


class LineAlone:
    """Serves this process's queue without Redis.

    Args:
        replicas: among which the quota is divided; each has one slot of each credential at least.
        places: calls that may wait here.
    """

    def __init__(self, holdings: Holdings, waiters: Waiters, *, replicas: int, places: int) -> None:
        self._holdings = holdings
        self._waiters = waiters
        self._replicas = replicas
        self._queue = FairQueue(places)
        holdings.keep_none()
        for waiter in waiters:
            self.join(waiter)

    def at_once(self, avoided: Collection[str] = ()) -> str:
        """Return the credential of a slot that is free with nobody waiting for it; "": there is none."""
        credential = "" if self._queue else self._free(avoided)
        if credential:
            self._holdings.use(credential)
        return credential

    def join(self, waiter: Waiter) -> None:
        """Let a call wait, or push out the one that would be served last."""
        loser = self._queue.join(waiter.ticket)
        if loser is not None:
            self._waiters.push_out(loser.id)
        if loser is not waiter.ticket:
            self._waiters.stands(waiter.ticket.id, self._queue.ahead_of(waiter.ticket.id))
        self.serve()

    def leave(self, ticket_id: str) -> None:
        """Let a call wait no more."""
        self._queue.leave(ticket_id)

    def serve(self) -> None:
        """Give what is free to whoever is next, and may have it."""
        while self._queue and self._free():
            ticket = self._queue.take(self._may_go)
            if ticket is None:
                return
            credential = self._free(ticket.avoided)
            if self._waiters.grant(ticket.id, credential):
                self._holdings.use(credential)

    def _may_go(self, ticket: Ticket) -> bool:
        return not ticket.avoided or bool(self._free(ticket.avoided))

    def _free(self, avoided: Collection[str] = ()) -> str:
        limits = self._waiters.quota.limits
        return self._holdings.freest({name: max(1, limit // self._replicas) for name, limit in limits.items()}, avoided)
