"""Can requests be served? Every part is asked once a second, not once a probe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from servicekit.clock import Clock

EVERY_S = 1.0
Check = Callable[[], Awaitable[bool]]
Details = Callable[[], dict[str, str]]
"""What a person should know of a part, ready or not."""


def _nothing() -> dict[str, str]:
    return {}


class Readiness:
    """What each part said last; a stopping process is never ready.

    A part that all gateways share is away for all of them at once: were each not ready at that moment, a balancer would
    have nobody left, though requests can be served without it for a while.

    Args:
        checks: the parts, each with its question.
        clock: tells how long a part has been away.
        details: what a person should know.
        spared_s: seconds for which requests are served without a part that has been there.
    """

    def __init__(
        self,
        checks: dict[str, Check],
        clock: Clock,
        details: Details = _nothing,
        spared_s: Mapping[str, float] | None = None,
    ) -> None:
        self._checks = checks
        self._details = details
        self._clock = clock
        self._spared_s = spared_s or {}
        self._results = dict.fromkeys(checks, False)
        self._seen_at: dict[str, float] = {}
        self._stopping = False

    @property
    def results(self) -> dict[str, bool]:
        """What each part said last."""
        return {**self._results, "accepting": not self._stopping}

    @property
    def details(self) -> dict[str, str]:
        """What a person should know of a part, ready or not; empty when all is well."""
        spared = {
            name: f"away; requests are served without it for {self._spared_s[name]:g} s"
            for name, is_there in self._results.items()
            if not is_there and self._can_be_spared(name)
        }
        return spared | self._details()

    @property
    def is_ready(self) -> bool:
        """Tell whether requests can be served."""
        return not self._stopping and all(
            is_there or self._can_be_spared(name) for name, is_there in self._results.items()
        )

    def _can_be_spared(self, name: str) -> bool:
        seen_at = self._seen_at.get(name)
        return seen_at is not None and self._clock.monotonic() - seen_at < self._spared_s.get(name, 0.0)

    def stop(self) -> None:
        """Be not ready from now on."""
        self._stopping = True

    async def look(self) -> None:
        """Ask every part once, all at the same time."""
        answers = await asyncio.gather(*(check() for check in self._checks.values()), return_exceptions=True)
        self._results = {name: answer is True for name, answer in zip(self._checks, answers, strict=True)}
        now = self._clock.monotonic()
        self._seen_at |= {name: now for name, is_there in self._results.items() if is_there}

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)
