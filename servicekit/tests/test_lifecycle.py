"""Background work ends with its owner."""

from __future__ import annotations

import asyncio

import pytest

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


async def test_work_that_goes_on_for_ever_is_begun_anew_when_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure that nobody foresaw does not end it for as long as the process runs; its owner's end does."""
    monkeypatch.setattr(lifecycle, "AGAIN_S", 0.0)
    begun, goes_on = 0, asyncio.Event()

    async def stumbling() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise PermissionError("a folder that cannot be read for a moment")
        goes_on.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(30), lifecycle.background() as tasks:
        task = tasks.keep(stumbling, name="stumbling")
        await goes_on.wait()

    assert begun == 3
    assert task.cancelled()
