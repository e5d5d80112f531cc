"""Work on many rows runs in a thread, so that the event loop, which also books requests, is not blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

# A row takes some hundredths of a millisecond at each step.
MOST_AT_ONCE: Final = 1000


async def offload(rows: int, step: Callable[[], T]) -> T:
    """Return what `step` returns; run it in a thread when it works on more than MOST_AT_ONCE rows."""
    return step() if rows <= MOST_AT_ONCE else await asyncio.to_thread(step)
