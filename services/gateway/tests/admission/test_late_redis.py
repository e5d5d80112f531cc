"""A Redis that is late, and a loop of our own that is: who waits for what, and whom it is held against."""

from __future__ import annotations

import asyncio
import select
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from servicekit.testing import FakeClock
from services.gateway.admission.admission import Admission
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.redis.script_runner import TIMEOUT_PARTS
from services.gateway.tests.admission.held_redis import QUICK, by_redis, gateway
from services.gateway.tests.admission_kit import request

# While every turn is late, Redis has ten of them to answer: it may be late, too.
SLOWER: Final = replace(QUICK, timeout_s=0.3)


async def test_a_hung_redis_costs_its_timeout_and_then_nothing(held_redis):
    """Five callers in a row wait for it; once the circuit is open nobody does, for as long as it is."""
    limits = Limits(requests_per_minute=1000)
    async with gateway(held_redis.url, clock=FakeClock()) as admission:
        await by_redis(admission, user=limits)
        held_redis.freeze()

        waits = []
        for _ in range(20):
            began = time.monotonic()
            assert (await admission.admit(request(user=limits))).degraded
            waits.append(time.monotonic() - began)

    assert min(waits[:5]) > QUICK.timeout_s / 2
    # A machine that stands still delays one of them, or a few.
    assert statistics.median(waits[5:]) < QUICK.timeout_s / 2, waits


async def test_callers_behind_a_hung_batch_do_not_wait_twice(held_redis):
    """All get their local answer after one timeout: that of the first."""
    async with gateway(held_redis.url, clock=FakeClock()) as admission:
        await by_redis(admission)
        held_redis.freeze()
        first = asyncio.create_task(admission.admit(request()))
        await turns(3)
        behind = [asyncio.create_task(admission.admit(request())) for _ in range(90)]

        answers = [await first]
        # Too few for another timeout, whose parts take more turns.
        await turns(TIMEOUT_PARTS - 1)
        assert [each.done() for each in behind] == [True] * 90

        answers += await asyncio.gather(*behind)
        assert all(answer.degraded for answer in answers)


async def turns(count: int) -> None:
    """Let everybody go on so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_stall_of_our_own_loop_is_not_held_against_redis(held_redis):
    """The answer lay there while this process was busy: it counts."""
    async with gateway(held_redis.url) as admission:
        await by_redis(admission)
        waiting = asyncio.ensure_future(admission.admit(request()))
        await turns(3)
        time.sleep(3 * QUICK.timeout_s)  # noqa: ASYNC251 (the stall under test)
        until_answered(admission)

        assert not (await waiting).degraded


def until_answered(admission: Admission) -> None:
    """Hold the loop up until the answer lies there: Redis itself may be late as well."""
    runner: Any = admission._runner
    readable, _, _ = select.select([runner._connection._writer.get_extra_info("socket")], [], [], 60)
    assert readable


@contextmanager
def slow_turns(seconds: float) -> Iterator[None]:
    """Every turn of the event loop takes so long: what hundreds of streams that end together do to it."""
    loop = asyncio.get_running_loop()
    handle: asyncio.Handle

    def turn() -> None:
        nonlocal handle
        time.sleep(seconds)
        handle = loop.call_soon(turn)

    handle = loop.call_soon(turn)
    yield
    handle.cancel()


async def test_a_loop_whose_every_turn_is_late_loses_no_redis(held_redis):
    """An answer takes several turns to be read, which together last longer than Redis may take."""
    async with gateway(held_redis.url, options=SLOWER) as admission:
        await by_redis(admission)
        with slow_turns(SLOWER.timeout_s / 2):
            admitted = [await admission.admit(request()) for _ in range(4)]

        assert [one.degraded for one in admitted] == [False] * 4


async def test_requests_that_wait_behind_a_late_batch_are_not_late_themselves(held_redis):
    """Their time begins when they are sent, not when they queue."""
    async with gateway(held_redis.url, options=SLOWER) as admission:
        await by_redis(admission)
        with slow_turns(SLOWER.timeout_s / 2):
            first = asyncio.ensure_future(admission.admit(request()))
            await asyncio.sleep(0)
            second = asyncio.ensure_future(admission.admit(request()))
            admitted = [await first, await second]

        assert [one.degraded for one in admitted] == [False] * 2
