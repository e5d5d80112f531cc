"""Decides who gets the next free slot: weighted fairness between users, however many calls each has waiting."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """One waiting call.

    Attributes:
        id: unique in its line.
        user: between whom it is fair.
        share: calls that the user is given for each one of a user whose share is 1; more than 0.
        avoided: credentials under which it is not to go out.
    """

    id: str
    user: str
    share: float = 1.0
    avoided: tuple[str, ...] = ()


@dataclass(slots=True)
class _User:
    """When the user's last call ends in virtual time, when the last one that joined begins, and how many wait."""

    ends: float = 0.0
    last: float = 0.0
    waiting: int = 0


# Start tag, order of arrival, ticket: the line is sorted by it.
_Place = tuple[float, int, Ticket]


class FairQueue:
    """Start-time fair queueing over users (Goyal, Vin and Cheng, SIGCOMM 1996).

    Each ticket begins, in virtual time, where its user's one before ended, or now; it ends 1/share later. The earliest
    beginning is served next. So a user's second call waits behind everybody's first, and whoever was away has saved
    nothing. `exchange.lua` does the same in Redis, for all replicas; this one serves a replica without Redis.

    Args:
        places: tickets that may wait. When all are taken, the one that would be served last loses its place.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._line: list[_Place] = []
        self._place_of: dict[str, _Place] = {}
        self._users: dict[str, _User] = {}
        self._now = 0.0
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._line)

    def join(self, ticket: Ticket) -> Ticket | None:
        """Put a ticket in its place; return the one that has lost its own for it (maybe itself), if any has."""
        user = self._users.get(ticket.user) or _User()
        # Never before one of its own: those that have left in front of it leave a gap.
        start = max(self._now, user.ends, user.last if user.waiting else 0.0)
        loser = None
        if len(self._line) >= self._places:
            last_start, _, last = self._line[-1]
            if start >= last_start:
                return ticket
            loser = last
            self.leave(last.id)
        self._arrivals += 1
        place = self._place_of[ticket.id] = (start, self._arrivals, ticket)
        bisect.insort(self._line, place, key=_order)
        self._users[ticket.user] = _User(start + 1 / ticket.share, start, user.waiting + 1)
        return loser

    def leave(self, ticket_id: str) -> None:
        """Take a ticket out that was not served: it costs its user nothing."""
        place = self._place_of.pop(ticket_id, None)
        if place is not None:
            del self._line[bisect.bisect_left(self._line, _order(place), key=_order)]
            user = self._users[place[2].user]
            user.ends -= 1 / place[2].share
            user.waiting -= 1
            self._rest()

    def take(self, may_go: Callable[[Ticket], bool] = lambda _: True) -> Ticket | None:
        """Return the first ticket that may go; None: nobody waits who may."""
        at = next((at for at, place in enumerate(self._line) if may_go(place[2])), None)
        if at is None:
            return None
        start, _, ticket = self._line.pop(at)
        del self._place_of[ticket.id]
        self._now = max(self._now, start)
        self._users[ticket.user].waiting -= 1
        self._rest()
        return ticket

    def ahead_of(self, ticket_id: str) -> int:
        """Return how many tickets would be served before this one."""
        place = self._place_of[ticket_id]
        return bisect.bisect_left(self._line, _order(place), key=_order)

    def _rest(self) -> None:
        # With nobody waiting there is nothing to be fair about; and the figures stay small.
        if not self._line:
            self._users.clear()
            self._now = 0.0


def _order(place: _Place) -> tuple[float, int]:
    return place[0], place[1]
