"""What one replica has to report to a queue: kept until it was received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.router.slots.fair_queue import Ticket
from services.router.slots.settings import SlotSettings
from services.router.slots.wire import Told

# After all was lost: as long as every living replica needs to say what it holds.
QUIET_MS: Final = 2000


class Statements:
    """What one replica reports to one queue."""

    def __init__(self, replica: str, settings: SlotSettings) -> None:
        self._replica = replica
        self._settings = settings
        self._seq = 0
        self.known = False
        """The line has heard something."""
        self._joined: dict[str, Ticket] = {}
        self._left: set[str] = set()
        self._taken: set[str] = set()

    def join(self, ticket: Ticket) -> None:
        """A ticket begins to wait."""
        self._joined[ticket.id] = ticket

    def leave(self, ticket_id: str) -> None:
        """A ticket waits no more, or does not want what it was given."""
        self._joined.pop(ticket_id, None)
        self._left.add(ticket_id)

    def took(self, ticket_id: str) -> None:
        """What a ticket was given has arrived."""
        self._taken.add(ticket_id)

    def next(self, held: Mapping[str, int], wants: int, limits: Mapping[str, int]) -> Told:
        """Return the next statement."""
        return self._told(held, wants, limits, gone=False)

    def goodbye(self, limits: Mapping[str, int]) -> Told:
        """Return the last statement."""
        return self._told({}, 0, limits, gone=True)

    def heard(self, told: Told) -> None:
        """Forget what the line has heard."""
        self.known = True
        for ticket_id, *_ in told.joined:
            self._joined.pop(ticket_id, None)
        self._left.difference_update(told.left)
        self._taken.difference_update(told.taken)

    def _told(self, held: Mapping[str, int], wants: int, limits: Mapping[str, int], *, gone: bool) -> Told:
        self._seq += 1
        return Told(
            replica=self._replica,
            seq=self._seq,
            known=self.known,
            gone=gone,
            held=held,
            wants=wants,
            taken=list(self._taken),
            left=list(self._left),
            joined=[(ticket.id, ticket.user, ticket.share, ticket.avoided) for ticket in self._joined.values()],
            limits=list(limits.items()),
            places=self._settings.places,
            lease_ms=int(self._settings.lease_s * 1000),
            quiet_ms=QUIET_MS,
        )
