"""Names of hosts: looked up within a time, and not forgotten while they cannot be."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, TypeAlias

import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from servicekit.errors import name_of

log = structlog.get_logger()

# Host, port and family.
_Asked: TypeAlias = tuple[str, int, socket.AddressFamily]
LOST: Final = (OSError, TimeoutError)
# Somebody has said that there is no such host: its last addresses may be another's by now.
GONE: Final = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})


class RememberingResolver(AbstractResolver):
    """Gives out the last addresses of a host that cannot be looked up.

    A look-up that is given up goes on, and whoever asks again waits for the same one: the system's occupies a thread
    until its own time-out.

    Args:
        inner: who is asked; None: the system.
        most_s: seconds for a look-up.
    """

    def __init__(self, inner: AbstractResolver | None, most_s: float) -> None:
        self._inner = inner or DefaultResolver()
        self._most_s = most_s
        self._lookups: dict[_Asked, asyncio.Task[list[ResolveResult]]] = {}
        self._last: dict[_Asked, list[ResolveResult]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses, the last ones while nobody can say them.

        Raises:
            OSError, TimeoutError: there is none, or none is known.
        """
        asked = (host, port, family)
        try:
            async with asyncio.timeout(self._most_s):
                found = self._last[asked] = await asyncio.shield(self._lookup(asked))
        except LOST as exc:
            if asked not in self._last or (isinstance(exc, OSError) and exc.errno in GONE):
                raise
            log.warning("router.name_not_found", host=host, reason=name_of(exc))
            return self._last[asked]
        return found

    def _lookup(self, asked: _Asked) -> asyncio.Task[list[ResolveResult]]:
        running = self._lookups.get(asked)
        if running is None or running.done():
            running = self._lookups[asked] = asyncio.create_task(self._inner.resolve(*asked), name="router.lookup")
            # Of one that was given up nobody hears how it failed.
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return running

    async def close(self) -> None:
        """Give up what is being looked up, and close the resolver that is asked."""
        for running in self._lookups.values():
            running.cancel()
        await self._inner.close()
