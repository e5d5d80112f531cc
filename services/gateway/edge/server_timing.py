"""Where the time of one request went, for the header Server-Timing: with us, waiting for room, at the provider."""

from __future__ import annotations

import time


class Timing:
    """Counts seconds of one request; mutable, owned by it."""

    __slots__ = ("_asked_at", "_provider_s", "queue_s")

    def __init__(self) -> None:
        self._asked_at = 0.0
        self._provider_s: float | None = None
        # Waiting for others: for room in a budget, for a slot.
        self.queue_s = 0.0

    def asked(self) -> None:
        """The router is asked from now on."""
        self._asked_at = time.perf_counter()

    def answered(self, queued_s: float = 0.0) -> None:
        """It has answered, or begun to, or failed, and so much of the time was a wait for a slot; the first counts."""
        if self._provider_s is None:
            took_s = self.provider_s
            # What a cache gives back was in line once, but not now.
            waited_s = min(queued_s, took_s)
            self.queue_s += waited_s
            self._provider_s = took_s - waited_s

    @property
    def was_asked(self) -> bool:
        """Whether the request got as far as the router."""
        return bool(self._asked_at)

    @property
    def provider_s(self) -> float:
        """Seconds until the provider's answer began, or so far; 0: it was not asked."""
        if self._provider_s is not None:
            return self._provider_s
        return time.perf_counter() - self._asked_at if self._asked_at else 0.0

    def of(self, elapsed_s: float) -> tuple[float, float, float]:
        """Return the milliseconds of ours, of waiting for others, and of the provider, of all those elapsed."""
        queue_ms, provider_ms = self.queue_s * 1000, self.provider_s * 1000
        return max(0.0, elapsed_s * 1000 - queue_ms - provider_ms), queue_ms, provider_ms

    def header(self, elapsed_s: float) -> tuple[bytes, bytes]:
        """Return Server-Timing, in milliseconds; a request that no provider has to do with names only us."""
        gateway_ms, queue_ms, provider_ms = self.of(elapsed_s)
        if not self._asked_at and not queue_ms:
            return b"server-timing", b"gateway;dur=%.1f" % gateway_ms
        return b"server-timing", b"gateway;dur=%.1f, queue;dur=%.1f, provider;dur=%.1f" % (
            gateway_ms,
            queue_ms,
            provider_ms,
        )
