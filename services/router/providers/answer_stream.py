"""The part of streamed answers that all vendors share: frames in, deltas out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from servicekit.errors import ServiceError
from services.router.domain.completion import Batch, Delta, Usage


class AnswerStream(ABC):
    """A streamed answer, fed one frame (an event's data, or a line) at a time.

    Attributes:
        done: the vendor's last frame has been read.
        failure: what is to be raised once the batch before it has been given out.
        fingerprint: the vendor's model build, as far as known.
    """

    __slots__ = ("done", "failure", "fingerprint")

    def __init__(self) -> None:
        self.done = False
        self.failure: ServiceError | None = None
        self.fingerprint = ""

    @property
    @abstractmethod
    def is_whole(self) -> bool:
        """Whether the body may end here: every choice has said why it ended."""

    def feed(self, frames: Sequence[bytes]) -> Batch | None:
        """Return what is new in `frames`; None when nothing is.

        Raises:
            ServiceError: an error frame, or nonsense.
        """
        deltas: list[Delta] = []
        usage: Usage | None = None
        for data in frames:
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
        """Add what one frame says to `deltas`; return the usage when it says it."""
