"""Start, run, stop: signals become one event; background work is owned and ends with its owner."""

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
# Before work that goes on for ever and failed is begun anew.
AGAIN_S: Final = 1.0


class CannotListenError(Exception):
    """An address that is not this machine's, or a port that somebody else has.

    Args:
        part: whose settings name it, as GRPC.
        why: the address, and what the system says of it.
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
    """Tasks that belong to the process: a failure is logged, the end of the process awaits them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run `work` beside everything else; its failure is logged under `name`."""
        task = asyncio.get_running_loop().create_task(self._guard(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def keep(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> asyncio.Task[None]:
        """Run what goes on until it is cancelled, anew whenever it fails: one failure nobody foresaw is not its end."""
        return self.start(self._kept(work, name), name=name)

    async def _kept(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("background.failed", task=name)
            else:
                return
            await asyncio.sleep(AGAIN_S)

    async def _guard(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("background.failed", task=name)

    async def drain(self, timeout_s: float) -> None:
        """Wait until the tasks are done; cancel those that are not after `timeout_s`."""
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
