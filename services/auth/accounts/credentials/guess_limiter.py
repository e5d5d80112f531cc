"""Limits guessing of secrets: ask before checking one, report the outcome afterwards."""

from __future__ import annotations

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, QuotaExceeded, Unavailable
from services.auth.accounts import metrics
from services.auth.accounts.cache.guess_counters import LocalGuesses, RedisGuesses
from services.auth.accounts.domain.guessing import Attempt

log = structlog.get_logger()


class GuessLimiter:
    """Counts attempts at secrets."""

    def __init__(self, shared: RedisGuesses, local: LocalGuesses, *, clock: Clock) -> None:
        self._shared = shared
        self._local = local
        self._clock = clock

    async def admit(self, attempt: Attempt) -> None:
        """Count an attempt as failed for now.

        Raises:
            QuotaExceeded: RATE_LIMIT_EXCEEDED: wait first.
        """
        now_ms = int(self._clock.now().timestamp() * 1000)
        try:
            refusal = await self._shared.count(attempt, now_ms)
        except Unavailable as exc:
            # Not open and not shut: this process counts for itself until Redis is back.
            log.warning("auth.guesses_counted_locally", reason=exc.reason.value)
            refusal = self._local.count(attempt, int(self._clock.monotonic() * 1000))
        if refusal is not None:
            metrics.GUESSES_REFUSED.labels(refusal.dimension.value).inc()
            raise QuotaExceeded(
                ErrorReason.RATE_LIMIT_EXCEEDED,
                "Too many attempts. Wait before you try again.",
                retry_after_s=max(1.0, refusal.wait_s),
            )

    async def forgive(self, attempt: Attempt) -> None:
        """The secret was right: forget the account's failures."""
        self._local.clear(attempt)
        try:
            await self._shared.clear(attempt)
        except Unavailable as exc:
            log.warning("auth.guesses_not_cleared", reason=exc.reason.value)

    async def take_back(self, attempt: Attempt) -> None:
        """The attempt was no guess: count it no more, and nothing else."""
        try:
            await self._shared.take_back(attempt)
        except Unavailable as exc:
            log.warning("auth.guesses_not_cleared", reason=exc.reason.value)
