"""Stop signals, and background tasks that belong to an owner and end with it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

log = structlog.get_logger()

CANCEL_AGAIN_S: Final = 0.05
CANCEL_FOR_S: Final = 5.0
# Pause before failed work is restarted; it doubles each time, until the work has run for longer than ANEW_AT_MOST_S.
ANEW_FIRST_S: Final = 1.0
ANEW_AT_MOST_S: Final = 30.0


class CannotListenError(Exception):
    """The address is not this machine's, or the port is taken.

    Args:
        part: the part of the settings that names the address, such as GRPC.
        why: the address and the system's message.
    """

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part}: {why}")
        self.part, self.why = part, why


async def stop_requested() -> None:
    """Return when SIGTERM or SIGINT arrives."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class Background:
    """An owner of background tasks: failures are logged, and the owner waits for the tasks when it ends."""

    def __init__(self, *, anew_s: float = ANEW_FIRST_S) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._anew_s = anew_s

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run `work` in the background; a failure is logged under `name`."""
        task = asyncio.get_running_loop().create_task(self._guard(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def keep(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> asyncio.Task[None]:
        """Run a loop that should never end; if it fails unexpectedly, it is restarted after a pause.

        Without that, nobody would notice a dead loop until what it updates is needed.
        """
        return self.start(self._again_and_again(work, name), name=name)

    async def _again_and_again(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        pause_s = self._anew_s
        while True:
            began = time.monotonic()
            try:
                return await work()
            except Exception:
                log.exception("background.failed", task=name)
            if time.monotonic() - began > ANEW_AT_MOST_S:
                pause_s = self._anew_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, ANEW_AT_MOST_S)

    async def _guard(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("background.failed", task=name)

    async def drain(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for the tasks to finish, then cancel the rest."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=timeout_s)
        give_up_at = time.monotonic() + CANCEL_FOR_S
        # More than once: until Python 3.12 asyncio.wait_for, which redis-py awaits, can swallow a cancellation
        # that comes in the same moment as the answer (python/cpython#86296).
        while late and time.monotonic() < give_up_at:
            for task in late:
                task.cancel()
            _, late = await asyncio.wait(late, timeout=CANCEL_AGAIN_S)


@asynccontextmanager
async def background(*, grace_s: float = 0.0) -> AsyncIterator[Background]:
    """Yield an owner of background tasks; on leaving, give them `grace_s`, then cancel."""
    owner = Background()
    try:
        yield owner
    finally:
        await owner.drain(grace_s)
