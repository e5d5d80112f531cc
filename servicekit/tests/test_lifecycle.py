"""Background work ends with its owner."""

from __future__ import annotations

import asyncio

from servicekit import lifecycle


async def test_work_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """One lost cancellation, as Python 3.11's wait_for loses it, does not hold the end of the process."""
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(30), lifecycle.background() as tasks:
        task = tasks.start(stubborn(), name="stubborn")
        await asyncio.sleep(0)

    assert swallowed.is_set()
    assert task.cancelled()
