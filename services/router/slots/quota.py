"""A provider's quota, and a permit to use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """A provider's quota.

    Attributes:
        limits: calls at once by credential; with `period_s`, calls in a period.
        period_s: the slot of a call is free again so long after it was taken; 0: when the call has ended.
    """

    limits: Mapping[str, int]
    period_s: float = 0.0

    @property
    def capacity(self) -> int:
        """Return all slots together."""
        return sum(self.limits.values())

    def seconds_for(self, calls: int) -> float:
        """Return how long so many calls take at least by a quota of a period, if nobody else makes any."""
        return max(0, calls - 1) // self.capacity * self.period_s if self.capacity else 0.0


@dataclass(slots=True)
class Slot:
    """A permit to call a provider.

    Attributes:
        credential: under which one.
        queued_s: seconds that it was waited for.
        taken_at: on the monotonic clock.
        count: calls that may be under way at once, for a request that is several calls.
    """

    credential: str
    queued_s: float
    taken_at: float
    give_back: Callable[[Slot, bool], None]
    count: int = 1
    is_held: bool = True

    def release(self, *, cut: bool = False) -> None:
        """Give it back; more than once is once.

        Args:
            cut: the call was ended from our side, so the provider may count it a moment longer.
        """
        if self.is_held:
            self.is_held = False
            self.give_back(self, cut)
