"""Durations of many requests are measured on a sample: ten thousand values are nearly as exact as a million."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

# Their p99 lies, nineteen times of twenty, between the true p98.8 and p99.2.
ENOUGH: Final = 10_000
# Of a month of even use each is three hours: every hour of the day and every weekday is in the sample.
WINDOWS: Final = 256


@dataclass(frozen=True, slots=True)
class Slot:
    """A span of time and how many requests there were in it."""

    since: datetime
    until: datetime
    requests: int

    def at(self, share: float) -> datetime:
        """Return the moment by which such a share of it is over."""
        return self.since + (self.until - self.since) * share


def windows(requests: int, slots: Sequence[Slot]) -> list[tuple[datetime, datetime]]:
    """Return the spans whose requests are measured: the beginning of each of many parts with equally many requests.

    Parts of equal time would hold nothing of somebody who sent a million requests in one hour of a year. Each part is
    as long as it has to be by the slots, in which requests are taken for evenly spread; an equal share of each is
    measured, so that nobody's hour counts for more than another one.

    Args:
        requests: all of the period; more than are measured.
        slots: where they are, in order; one at least.
    """
    before = [0, *accumulate(slot.requests for slot in slots)]
    part, share = before[-1] / WINDOWS, ENOUGH / requests

    def moment(rank: float) -> datetime:
        place = min(bisect_right(before, rank), len(slots)) - 1
        return slots[place].at(min(1.0, (rank - before[place]) / slots[place].requests))

    return [(moment(part * number), moment(part * (number + share))) for number in range(WINDOWS)]


def slots_between(
    since: datetime, until: datetime, length: timedelta, found: Sequence[tuple[datetime, int]]
) -> list[Slot]:
    """Return the slots of a length that begin then, as far as they lie in a period; of none, all of it as one."""
    slots = [Slot(max(since, begin), min(until, begin + length), requests) for begin, requests in found]
    return slots or [Slot(since, until, 1)]
