"""A block that something outside may end: the caller left, the process stops."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

CLIENT_LEFT: Final = "client_left"
SLOW_READER: Final = "slow_reader"
SHUTDOWN: Final = "shutdown"


class Cancellations:
    """The blocks that run now, so that a stopping process can end them all."""

    def __init__(self) -> None:
        self.running: set[Cancellation] = set()

    def __len__(self) -> int:
        return len(self.running)

    def new(self) -> Cancellation:
        """Return a block that is known here while it runs."""
        return Cancellation(self)

    def end_all(self, cause: str) -> int:
        """End every block; return how many there were."""
        count = len(self.running)
        for block in list(self.running):
            block.now(cause)
        return count


class Cancellation:
    """A context manager that works as `asyncio.timeout` does: the first `now(cause)` ends the block, quietly.

    Afterwards `cause` says why; empty: the block ended by itself.
    """

    __slots__ = ("_owner", "_task", "cause")

    def __init__(self, owner: Cancellations) -> None:
        self.cause = ""
        self._owner = owner
        self._task: asyncio.Task[object] | None = None

    def now(self, cause: str) -> None:
        """End the block at its next await, unless it has ended."""
        if self._task is not None and not self.cause:
            self.cause = cause
            self._task.cancel()

    def __enter__(self) -> Cancellation:
        self._task = asyncio.current_task()
        self._owner.running.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> bool:
        self._owner.running.discard(self)
        task, self._task = self._task, None
        if not self.cause or task is None:
            return False
        # Only our own cancellation is swallowed: one from outside as well still counts.
        return task.uncancel() <= 0 and kind is not None and issubclass(kind, asyncio.CancelledError)
