"""Who waits for room in a budget has a place, and gives it back whatever ends the wait."""

from __future__ import annotations

import asyncio
import contextlib
import random

from services.gateway.admission.settlements import MOST_WAITING, Settlements


async def test_who_leaves_while_waiting_gives_its_place_back() -> None:
    """Else callers who hang up would in the end keep everybody of the account from waiting."""
    settlements = Settlements(random.Random(1))
    leaving = [asyncio.create_task(settlements.next("user-1", 60.0)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    refused = await settlements.next("user-1", 60.0)
    for task in leaving:
        task.cancel()
    for task in leaving:
        with contextlib.suppress(asyncio.CancelledError):
            await task

    waits = asyncio.create_task(settlements.next("user-1", 60.0))
    await asyncio.sleep(0)
    settlements.told("user-1")

    assert (refused, await waits) == (False, True)
