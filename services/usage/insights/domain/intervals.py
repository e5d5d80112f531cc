"""Confidence intervals of shares and quantiles."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

# Two-sided 95 %.
_Z: Final = 1.959964
_RESAMPLES: Final = 400


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the bounds of Wilson's 95 % interval of a share."""
    if total == 0:
        return 0.0, 1.0
    share, spread = hits / total, _Z * _Z / total
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def share_difference(hits: int, total: int, other_hits: int, other_total: int) -> tuple[float, float]:
    """Return the bounds of Newcombe's 95 % interval of the first share less the second."""
    first, second = hits / total, other_hits / other_total
    low, high = wilson(hits, total)
    other_low, other_high = wilson(other_hits, other_total)
    below = math.hypot(first - low, other_high - second)
    above = math.hypot(high - first, second - other_low)
    return first - second - below, first - second + above


def quantile_difference(
    first: tuple[Sequence[int], int], second: tuple[Sequence[int], int], fractions: Sequence[float], at: float
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a quantile of one sample less that of another.

    The quantile of a resample of n values is the value at a fraction that is distributed as Beta(na, n(1-a)+1): drawn
    from there, nothing has to be resampled. The same samples give the same interval.

    Args:
        first: quantiles of a sample at `fractions`, and its size; `second` likewise.
        fractions: where the quantiles are known, rising.
        at: which quantile.
    """
    rng = random.Random(0)  # noqa: S311 - it resamples, it guards nothing
    differences = sorted(
        _resampled(first, fractions, at, rng) - _resampled(second, fractions, at, rng) for _ in range(_RESAMPLES)
    )
    tail = int(_RESAMPLES * 0.025)
    return differences[tail], differences[-1 - tail]


def _resampled(sample: tuple[Sequence[int], int], fractions: Sequence[float], at: float, rng: random.Random) -> float:
    values, size = sample
    rank = math.ceil(size * at)
    fraction = rng.betavariate(rank, size - rank + 1)
    nearest = min(range(len(fractions)), key=lambda place: abs(fractions[place] - fraction))
    return float(values[nearest])
