"""What the event streams of two vendors have in common: events in, what is new in them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from servicekit.errors import ServiceError
from services.router.domain.completion import Batch, Delta, Usage
from services.router.providers.transport.sse import Event


class EventStream(ABC):
    """A streamed answer that is coming in as server-sent events.

    Attributes:
        done: the vendor's last event has been read.
        failure: what is to be raised once the batch before it has been given out.
        fingerprint: the vendor's model build, as far as known.
    """

    __slots__ = ("done", "failure", "fingerprint")

    def __init__(self) -> None:
        self.done = False
        self.failure: ServiceError | None = None
        self.fingerprint = ""

    def feed(self, events: Sequence[Event]) -> Batch | None:
        """Return what is new in `events`; None when nothing is.

        Raises:
            ServiceError: an error event, or nonsense.
        """
        deltas: list[Delta] = []
        usage: Usage | None = None
        for _, data in events:
            try:
                usage = self._take(data, deltas) or usage
            except ServiceError as exc:
                if not deltas and usage is None:
                    raise
                # What came before the failure in the same read is given out first.
                self.failure = exc
            if self.done or self.failure is not None:
                break
        return Batch(deltas, usage) if deltas or usage is not None else None

    @abstractmethod
    def _take(self, data: bytes, deltas: list[Delta]) -> Usage | None:
        """Add what one event says to `deltas`; return the usage when it says it."""
