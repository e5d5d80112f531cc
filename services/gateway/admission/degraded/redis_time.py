"""What time it is at Redis, guessed from its last answer."""

from __future__ import annotations

from servicekit.clock import Clock


class RedisTime:
    """Redis TIME in microseconds, carried on by this machine's monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_us: int | None = None

    def learn(self, now_us: int, asked_s: float) -> None:
        """Redis said so between `asked_s`, by this machine's monotonic clock, and now.

        What is believed moves only as far as it must: an answer that was long on its way says little of when it was
        given, and a clock believed to be behind would make the next request late before it is sent.
        """
        earliest, latest = now_us - int(self._clock.monotonic() * 1e6), now_us - int(asked_s * 1e6)
        known = earliest if self._offset_us is None else self._offset_us
        self._offset_us = min(max(known, earliest), latest)

    def now_us(self) -> int:
        """Return Redis time; the wall clock's while Redis has said nothing yet."""
        if self._offset_us is None:
            return int(self._clock.now().timestamp() * 1e6)
        return self._offset_us + int(self._clock.monotonic() * 1e6)

    def deadline_us(self, seconds: float) -> int:
        """Return Redis time in so many seconds; 0 (no deadline) while Redis has said nothing yet."""
        return 0 if self._offset_us is None else self.now_us() + int(seconds * 1e6)
