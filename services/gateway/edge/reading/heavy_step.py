"""One heavy step a turn of the event loop: sixteen large bodies at once hold up others no longer than one does.

A step is what takes milliseconds and cannot be cut further. Small bodies go by without waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

# A lock belongs to its loop; a process that serves has one.
_LOCKS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()


async def heavy_step(step: Callable[[], T]) -> T:
    """Return what `step` does, in a turn of the loop in which no other heavy step is done; first come, first served.

    What the caller does before its next await is in a turn without another heavy step, too.

    Raises:
        Exception: what the step raises.
    """
    async with _LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        try:
            return step()
        finally:
            # Held until the next turn: whoever waits is woken in the one after it.
            await asyncio.sleep(0)
