"""Can requests be served? Every part is asked once a second, not once a probe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from servicekit.clock import Clock

EVERY_S = 1.0
Check = Callable[[], Awaitable[bool]]
Details = Callable[[], dict[str, str]]
"""What a person should know of a part, ready or not."""


def _nothing() -> dict[str, str]:
    return {}


class Readiness:
    """What each part said last; a stopping process is never ready."""

    def __init__(self, checks: dict[str, Check], clock: Clock, details: Details = _nothing) -> None:
        self._checks = checks
        self._details = details
        self._clock = clock
        self._results = dict.fromkeys(checks, False)
        self._stopping = False

    @property
    def results(self) -> dict[str, bool]:
        """What each part said last."""
        return {**self._results, "accepting": not self._stopping}

    @property
    def details(self) -> dict[str, str]:
        """What a person should know of a part, ready or not; empty when all is well."""
        return self._details()

    @property
    def is_ready(self) -> bool:
        """Tell whether requests can be served."""
        return not self._stopping and all(self._results.values())

    def stop(self) -> None:
        """Be not ready from now on."""
        self._stopping = True

    async def look(self) -> None:
        """Ask every part once, all at the same time."""
        answers = await asyncio.gather(*(check() for check in self._checks.values()), return_exceptions=True)
        self._results = {name: answer is True for name, answer in zip(self._checks, answers, strict=True)}

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)
