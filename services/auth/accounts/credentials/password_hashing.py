"""argon2id in a few threads: many logins at once wait or are refused, and the rest of auth keeps working."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import InvalidHashError, VerificationError

from servicekit.errors import ErrorReason, Unavailable
from services.auth.accounts import metrics
from services.auth.accounts.domain.password import normal_form

T = TypeVar("T")
RETRY_S: Final = 2.0


class PasswordHashing:
    """Hashes and verifies passwords."""

    def __init__(self, *, memory_kib: int, passes: int, lanes: int, parallel: int, queue: int) -> None:
        self._argon2 = Argon2(time_cost=passes, memory_cost=memory_kib, parallelism=lanes, type=Type.ID)
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="argon2")
        self._limit = parallel + queue
        self._busy = 0
        # Verifying against it costs what verifying a real one costs.
        self._dummy = self._argon2.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Return the hash with its parameters.

        Raises:
            Unavailable: too many are waiting.
        """
        return await self._run(lambda: self._argon2.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether this is the password; takes the same time when there is none.

        Raises:
            Unavailable: too many are waiting.
        """
        return await self._run(lambda: self._verify(stored, normal_form(password)))

    def is_outdated(self, stored: str) -> bool:
        """Tell whether the hash has other parameters than new ones get."""
        return self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            return self._argon2.verify(stored or self._dummy, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._busy >= self._limit:
            metrics.PASSWORD_HASHES_REFUSED.inc()
            raise Unavailable(
                ErrorReason.SERVICE_UNAVAILABLE, "Too many people are logging in. Try again.", retry_after_s=RETRY_S
            )
        self._busy += 1
        loop = asyncio.get_running_loop()
        future: Future[T] = self._threads.submit(work)
        # Counted until the thread is done: a caller who hung up does not free it.
        future.add_done_callback(lambda _: _soon(loop, self._done))
        return await asyncio.wrap_future(future)

    def _done(self) -> None:
        self._busy -= 1


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
