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


async def test_work_that_goes_on_for_ever_is_begun_anew_when_it_fails() -> None:
    """A file, a row or a message that nobody foresaw ends no loop: what comes after it counts."""
    done, runs = asyncio.Event(), 0

    async def watch() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ValueError("nobody foresaw this")
        done.set()
        await asyncio.Event().wait()

    tasks = lifecycle.Background(anew_s=0.0)
    task = tasks.keep(watch, name="watch")
    await asyncio.wait_for(done.wait(), timeout=60)
    assert (runs, len(tasks)) == (3, 1)

    await tasks.drain(0.0)
    assert task.cancelled()


async def test_kept_work_that_comes_to_its_end_is_over() -> None:
    """It is not begun anew, and holds nobody up."""
    runs = 0

    async def once() -> None:
        nonlocal runs
        runs += 1

    tasks = lifecycle.Background(anew_s=0.0)
    await tasks.keep(once, name="once")

    assert runs == 1
