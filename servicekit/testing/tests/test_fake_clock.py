"""A clock that a test moves."""

import asyncio
from datetime import timedelta

from servicekit.testing import FakeClock


async def test_a_sleeper_wakes_when_its_time_has_come():
    """Half of the time is not enough, all of it is."""
    clock = FakeClock()
    sleeper = asyncio.ensure_future(clock.sleep(10))
    await asyncio.sleep(0)

    clock.advance(9.5)
    await asyncio.sleep(0)
    asleep = not sleeper.done()
    clock.advance(0.5)
    await sleeper

    assert asleep
    assert clock.sleepers == 0


async def test_now_and_monotonic_move_together():
    """Both faces show what the test added."""
    clock = FakeClock()
    before = clock.now()

    clock.advance(90)

    assert clock.now() - before == timedelta(seconds=90)
    assert clock.monotonic() == 90


async def test_auto_advance_never_waits():
    """Code with long waits runs at once, and the waits are on record."""
    clock = FakeClock(auto_advance=True)

    await clock.sleep(3600)
    await clock.sleep(5)

    assert clock.slept_s == [3600, 5]
    assert clock.monotonic() == 3605


async def test_a_cancelled_sleeper_is_forgotten():
    """A task that gave up does not count and does not break the next move."""
    clock = FakeClock()
    sleeper = asyncio.ensure_future(clock.sleep(10))
    await asyncio.sleep(0)

    sleeper.cancel()
    await asyncio.gather(sleeper, return_exceptions=True)
    clock.advance(20)

    assert clock.sleepers == 0
