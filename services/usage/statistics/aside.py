"""What is done with many rows is done aside: the service that books requests has one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

# A row takes some hundredths of a millisecond at each step.
MOST_AT_ONCE: Final = 1000


async def aside(rows: int, step: Callable[[], T]) -> T:
    """Return what `step` does with so many rows; with many of them in a thread, which gives others their turns."""
    return step() if rows <= MOST_AT_ONCE else await asyncio.to_thread(step)
