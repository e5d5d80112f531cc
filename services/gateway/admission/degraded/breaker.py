"""A circuit breaker on Redis: after enough failures nobody waits for it any more."""

from __future__ import annotations

from servicekit.clock import Clock


class Breaker:
    """Opens after `max_failures` in a row or `max_failing_s` of nothing but failures; tries again after `open_s`."""

    def __init__(self, clock: Clock, *, max_failures: int = 5, max_failing_s: float = 2.0, open_s: float = 5.0) -> None:
        self._clock = clock
        self._max_failures = max_failures
        self._max_failing_s = max_failing_s
        self._open_s = open_s
        self._failures = 0
        self._failing_since = 0.0
        self._open_until: float | None = None
        self._probing_until = 0.0

    @property
    def is_closed(self) -> bool:
        """Tell whether calls pass freely."""
        return self._open_until is None

    def allows(self) -> bool:
        """Tell whether this call may go; when half-open, one caller is told yes and must report back."""
        if self._open_until is None:
            return True
        now = self._clock.monotonic()
        if now < self._open_until or now < self._probing_until:
            return False
        # A probe whose caller vanished must not block the next one for ever.
        self._probing_until = now + self._open_s
        return True

    def succeeded(self) -> None:
        """Close."""
        self._failures = 0
        self._open_until = None
        self._probing_until = 0.0

    def failed(self) -> None:
        """Count a failure; open when there are too many."""
        now = self._clock.monotonic()
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        too_long = now - self._failing_since >= self._max_failing_s
        if self._failures >= self._max_failures or too_long or self._open_until is not None:
            self._open_until = now + self._open_s
            self._probing_until = 0.0
