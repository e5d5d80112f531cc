"""Which values an axis is marked at, and which labels have room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

# A step is one of these times a power of ten: what people count in.
STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST_STEPS: Final = 5
# Below it is nothing that anybody counts.
TINY: Final = 1e-9


def ticks(highest: float) -> list[float]:
    """Return values from 0 to at least `highest`, evenly apart; one step where there is nothing to show."""
    if highest < TINY or not math.isfinite(highest):
        return [0.0, 1.0]
    rough = highest / MOST_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in STEPS if nice * power >= rough * (1 - 1e-9))
    return [float(f"{step * number:.12g}") for number in range(math.ceil(highest / step - 1e-9) + 1)]


def with_room(labels: Sequence[str], most: int) -> list[int]:
    """Return the places of the labels that are written: every so many, so that at most `most` are."""
    every = max(1, math.ceil(len(labels) / most))
    return list(range(0, len(labels), every))
