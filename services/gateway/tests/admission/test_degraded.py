"""Redis lost, hung and back: what each gateway grants on its own, and what is true afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import redis.asyncio

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.request import AdmissionRefused, Admitted
from services.gateway.tests.admission_kit import Ledger, budget, counters, leftovers, request
from tools.testing.throwaway import throwaway_redis

QUICK = AdmissionOptions(timeout_s=0.1, breaker_open_s=0.3, replicas=2, renew_every_s=0.2)


class HeldRedis:
    """A Redis of this test's own, that can be frozen and thawed."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._pid = pid

    def freeze(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@pytest.fixture
async def held_redis(tmp_path) -> AsyncIterator[HeldRedis]:
    """A Redis that no other test uses."""
    with throwaway_redis(tmp_path) as url:
        async with redis.asyncio.from_url(url) as client:
            pid = int((await client.info("server"))["process_id"])
        held = HeldRedis(url, pid)
        yield held
        held.thaw()


@asynccontextmanager
async def gateway(url: str, ledger: Ledger | None = None) -> AsyncIterator[Admission]:
    async with (
        redis.asyncio.from_url(url) as client,
        open_admission(client, (ledger or Ledger()).spend_of, boot_id="boot", options=QUICK) as admission,
    ):
        yield admission


async def by_redis(admission: Admission, **changes: Any) -> Admitted:
    """Return a request that Redis admitted; a loaded machine may need more than one try."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(Unavailable):
                admitted = await admission.admit(request(**changes))
                if not admitted.degraded:
                    return admitted
                await admission.cancel(admitted.ticket)
            await asyncio.sleep(0.05)


async def test_without_redis_a_gateway_grants_its_share(free_port):
    """80 % of a limit divided by two gateways, of requests, tokens and slots alike."""
    async with gateway(f"redis://127.0.0.1:{free_port}/0") as admission:
        for limits, share in (
            (Limits(requests_per_minute=100), 40),
            (Limits(requests_per_day=50), 20),
            (Limits(concurrent_requests=10), 4),
            (Limits(tokens_per_minute=10_000), 40),
        ):
            admitted = [await admission.admit(request(model=limits)) for _ in range(share)]
            with pytest.raises(AdmissionRefused):
                await admission.admit(request(model=limits))

            assert all(each.degraded for each in admitted)
            for each in admitted:
                await admission.settle(each.ticket, 0, 0)


async def test_without_redis_a_small_limit_still_grants_one(free_port):
    """A limit below the number of gateways does not become an outage."""
    async with gateway(f"redis://127.0.0.1:{free_port}/0") as admission:
        assert await admission.admit(request(user=Limits(concurrent_requests=1)))


async def test_slots_that_redis_gave_are_taken_when_it_goes(held_redis):
    """Four of ten at two gateways run already: this one's share is used up."""
    limits = Limits(concurrent_requests=10)
    async with gateway(held_redis.url) as admission:
        for _ in range(4):
            await by_redis(admission, user=limits)
        held_redis.freeze()

        with pytest.raises(AdmissionRefused):
            await admission.admit(request(user=limits))


async def test_without_redis_a_known_rest_of_a_budget_is_shared(held_redis):
    """80 % of what was left when Redis last said so, divided by two gateways; then 503."""
    async with gateway(held_redis.url) as admission:
        budgets = (budget(1_000_000),)
        await by_redis(admission, budgets=budgets, hold=100_000)
        held_redis.freeze()

        for _ in range(3):
            assert (await admission.admit(request(budgets=budgets, hold=100_000))).degraded
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=budgets, hold=100_000))


async def test_without_redis_a_hold_comes_back_when_its_request_is_settled(held_redis):
    """Holds are far larger than costs: a budget of ten holds carries fifty requests, one after the other."""
    async with gateway(held_redis.url) as admission:
        budgets = (budget(1_000_000),)
        first = await by_redis(admission, budgets=budgets, hold=100_000)
        held_redis.freeze()
        await admission.settle(first.ticket, 1, 10)

        for _ in range(50):
            admitted = await admission.admit(request(budgets=budgets, hold=100_000))
            assert admitted.degraded
            await admission.settle(admitted.ticket, 1, 10)


async def test_without_redis_an_unknown_rest_of_a_budget_is_spent_up_to_a_cap(free_port):
    """One percent of the budget, shared by the gateways; then 503: nobody knows whether anything is left."""
    async with gateway(f"redis://127.0.0.1:{free_port}/0") as admission:
        budgets = (budget(1_000_000),)
        for _ in range(5):
            assert (await admission.admit(request(budgets=budgets, hold=1000))).degraded
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=budgets, hold=1000))


def test_a_rest_that_was_heard_long_ago_counts_as_unknown():
    """Other gateways may have spent it meanwhile: the cap holds again."""
    clock = FakeClock()
    limits = LocalLimits(clock, QUICK, replicas=lambda: 2)
    asked = request(budgets=(budget(1_000_000),), hold=6_000)
    limits.remember(asked.budget_keys[0], 900_000, 1)
    known = limits.knows(asked.budget_keys)
    clock.advance(61)

    assert (known, limits.knows(asked.budget_keys)) == (True, False)
    with pytest.raises(Unavailable):
        limits.admit(asked)


async def test_counters_that_cannot_be_rebuilt_leave_a_budget_to_its_known_rest(held_redis):
    """Redis came back empty while the usage service is away: what was left a moment ago is known here."""
    ledger = Ledger()
    async with redis.asyncio.from_url(held_redis.url) as client, gateway(held_redis.url, ledger) as admission:
        budgets = (budget(1_000_000),)
        await by_redis(admission, budgets=budgets, hold=1000)
        await client.flushdb()
        ledger.away = True

        assert (await admission.admit(request(budgets=budgets, hold=1000))).degraded
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=(budget(1_000_000, subject="key:unheard-of"),), hold=1000))


async def test_a_hung_redis_costs_its_timeout_and_then_nothing(held_redis):
    """Five callers in a row wait for it; once the circuit is open nobody does."""
    limits = Limits(requests_per_minute=1000)
    async with gateway(held_redis.url) as admission:
        await by_redis(admission, user=limits)
        held_redis.freeze()

        waits = []
        for _ in range(20):
            began = time.monotonic()
            assert (await admission.admit(request(user=limits))).degraded
            waits.append(time.monotonic() - began)

    slow = [wait for wait in waits if wait > QUICK.timeout_s / 2]
    assert 5 <= len(slow) <= 7, waits


async def test_callers_behind_a_hung_batch_do_not_wait_twice(held_redis):
    """A hundred callers at once all get their local answer after one timeout."""
    async with gateway(held_redis.url) as admission:
        await by_redis(admission)
        held_redis.freeze()
        began = time.monotonic()

        answers = await asyncio.gather(*(later(admission, number * 0.001) for number in range(90)))

        assert all(answer.degraded for answer in answers)
        assert time.monotonic() - began < 5 * QUICK.timeout_s


async def later(admission: Admission, seconds: float):
    await asyncio.sleep(seconds)
    return await admission.admit(request())


async def test_a_thawed_redis_runs_no_request_that_was_answered_locally(held_redis):
    """What lay in its buffers is too late for it; no hold stays, and what was spent meanwhile is counted."""
    limits = Limits(concurrent_requests=50)
    async with redis.asyncio.from_url(held_redis.url) as client, gateway(held_redis.url) as admission:
        first = await by_redis(admission, user=limits, budgets=(budget(10_000_000),))
        await admission.settle(first.ticket, 1, 10)
        held_redis.freeze()
        degraded = [await admission.admit(request(user=limits, budgets=(budget(10_000_000),))) for _ in range(8)]
        for each in degraded:
            await admission.settle(each.ticket, 1, 100)
        held_redis.thaw()

        async with asyncio.timeout(20):
            while (await admission.admit(request())).degraded or (await counters(client))["used"] != 810:
                await asyncio.sleep(0.05)

        assert await counters(client) == {"used": 810, "held": 0}


async def test_a_settle_that_redis_missed_happens_later(held_redis):
    """The caller waits for one timeout; the hold is settled when Redis is back."""
    async with redis.asyncio.from_url(held_redis.url) as client, gateway(held_redis.url) as admission:
        admitted = await by_redis(admission, budgets=(budget(10_000_000),))
        held_redis.freeze()
        began = time.monotonic()
        await admission.settle(admitted.ticket, 1, 77)
        waited = time.monotonic() - began
        held_redis.thaw()

        async with asyncio.timeout(20):
            while await leftovers(client):
                await asyncio.sleep(0.05)

        assert waited < 10 * QUICK.timeout_s
        assert await counters(client) == {"used": 77, "held": 0}


async def test_a_settle_whose_task_is_cancelled_still_happens(held_redis):
    """The client is gone, its task is cancelled, and Redis hangs: the hold is settled all the same."""
    async with redis.asyncio.from_url(held_redis.url) as client, gateway(held_redis.url) as admission:
        admitted = await by_redis(admission, budgets=(budget(10_000_000),))
        held_redis.freeze()
        settling = asyncio.ensure_future(admission.settle(admitted.ticket, 1, 77))
        await asyncio.sleep(0)
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)
        held_redis.thaw()

        async with asyncio.timeout(20):
            while await leftovers(client):
                await asyncio.sleep(0.05)

        assert await counters(client) == {"used": 77, "held": 0}


async def test_a_stall_of_our_own_loop_is_not_held_against_redis(held_redis):
    """The answer lay there while this process was busy: it counts."""
    async with gateway(held_redis.url) as admission:
        await by_redis(admission)
        waiting = asyncio.ensure_future(admission.admit(request()))
        for _ in range(3):
            await asyncio.sleep(0)
        time.sleep(3 * QUICK.timeout_s)  # noqa: ASYNC251 (the stall under test)

        assert not (await waiting).degraded


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
    async with gateway(held_redis.url) as admission:
        await by_redis(admission)
        with slow_turns(QUICK.timeout_s / 2):
            admitted = [await admission.admit(request()) for _ in range(4)]

        assert [one.degraded for one in admitted] == [False] * 4


async def test_requests_that_wait_behind_a_late_batch_are_not_late_themselves(held_redis):
    """Their time begins when they are sent, not when they queue."""
    async with gateway(held_redis.url) as admission:
        await by_redis(admission)
        with slow_turns(QUICK.timeout_s / 2):
            first = asyncio.ensure_future(admission.admit(request()))
            await asyncio.sleep(0)
            second = asyncio.ensure_future(admission.admit(request()))
            admitted = [await first, await second]

        assert [one.degraded for one in admitted] == [False] * 2
