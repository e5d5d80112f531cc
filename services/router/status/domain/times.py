"""Histograms of durations: small, exact to 4 %, and easy to add up over replicas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

# Each bucket ends 8 % above the one before; its middle is what is told.
GROWTH: Final = math.log(1.08)
SHORTEST_MS: Final = 0.5
# Calls by bucket.
Times = dict[int, int]


def bucket_of(seconds: float) -> int:
    """Return the bucket of a time."""
    times = seconds * 1000 / SHORTEST_MS
    return math.ceil(math.log(times) / GROWTH) if times > 1 else 0


def milliseconds_of(bucket: int) -> int:
    """Return the middle of a bucket."""
    return round(SHORTEST_MS * math.exp((bucket - 0.5) * GROWTH))


def percentile_ms(counts: Mapping[int, int], share: float) -> int:
    """Return the time that so large a share of calls did not exceed; 0 of no calls."""
    wanted = share * sum(counts.values())
    reached = 0
    for bucket in sorted(counts):
        reached += counts[bucket]
        if reached >= wanted:
            return milliseconds_of(bucket)
    return 0


def add_up(counts: Times, more: Mapping[int, int]) -> None:
    """Add counts to counts."""
    for bucket, count in more.items():
        counts[bucket] = counts.get(bucket, 0) + count
