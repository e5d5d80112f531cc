"""A block that is ended from outside: quietly, once, and never in place of somebody else's cancellation."""

from __future__ import annotations

import asyncio

import pytest

from services.gateway.edge.cancellation import CLIENT_LEFT, SHUTDOWN, Cancellations


async def test_a_cut_ends_the_block_and_the_code_goes_on() -> None:
    """No exception leaves the block; the task is not left cancelled."""
    ending = Cancellations().new()
    asyncio.get_running_loop().call_soon(ending.now, CLIENT_LEFT)

    with ending:
        await asyncio.sleep(60)

    await asyncio.sleep(0)
    assert ending.cause == CLIENT_LEFT


async def test_the_first_cause_counts() -> None:
    """A second cut of the same block does nothing."""
    cuts = Cancellations()
    ending = cuts.new()

    def twice() -> None:
        ending.now(CLIENT_LEFT)
        assert cuts.end_all(SHUTDOWN) == 1

    asyncio.get_running_loop().call_soon(twice)
    with ending:
        await asyncio.sleep(60)

    assert ending.cause == CLIENT_LEFT
    assert len(cuts) == 0


async def test_a_block_that_has_ended_cannot_be_cut() -> None:
    """Too late is harmless."""
    ending = Cancellations().new()
    with ending:
        pass

    ending.now(CLIENT_LEFT)
    await asyncio.sleep(0)

    assert ending.cause == ""


async def test_cancellation_from_outside_still_counts() -> None:
    """When the task is cancelled as well, the cut does not hide it."""
    ending = Cancellations().new()

    async def work() -> None:
        with ending:
            await asyncio.sleep(60)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work())
        await asyncio.sleep(0)
        ending.now(CLIENT_LEFT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_errors_of_the_block_pass() -> None:
    """A failure stays a failure."""
    ending = Cancellations().new()

    with pytest.raises(ValueError, match="x"), ending:
        raise ValueError("x")
