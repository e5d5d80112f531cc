"""Tick marks of the vertical axis, and which labels of the horizontal one are written."""

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
    """Return evenly spaced values from 0 to at least `highest`; [0, 1] where all values are 0."""
    if highest < TINY or not math.isfinite(highest):
        return [0.0, 1.0]
    rough = highest / MOST_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in STEPS if nice * power >= rough * (1 - 1e-9))
    return [float(f"{step * number:.12g}") for number in range(math.ceil(highest / step - 1e-9) + 1)]


def with_room(labels: Sequence[str], most: int) -> list[int]:
    """Return the indexes of the labels to write: every n-th, so that at most `most` are written."""
    every = max(1, math.ceil(len(labels) / most))
    return list(range(0, len(labels), every))
