"""Redis lost, hung and back: what each gateway grants on its own, and what is true afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis.asyncio

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.request import AdmissionRefused
from services.gateway.tests.admission.held_redis import QUICK, by_redis, gateway
from services.gateway.tests.admission_kit import PATIENT, Ledger, budget, counters, leftovers, request


async def test_without_redis_a_gateway_grants_its_share(free_port):
    """80 % of a limit divided by two gateways, of requests, tokens and slots alike."""
    # A clock that stands: a slow machine is given nothing back meanwhile.
    async with gateway(f"redis://127.0.0.1:{free_port}/0", clock=FakeClock()) as admission:
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
    async with (
        redis.asyncio.from_url(held_redis.url) as client,
        # Redis is there all the time: were it late, what is unheard of would be spent up to a cap.
        gateway(held_redis.url, ledger, options=PATIENT) as admission,
    ):
        budgets = (budget(1_000_000),)
        await by_redis(admission, budgets=budgets, hold=1000)
        await client.flushdb()
        ledger.away = True

        assert (await admission.admit(request(budgets=budgets, hold=1000))).degraded
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=(budget(1_000_000, subject="key:unheard-of"),), hold=1000))


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


async def test_a_redis_that_is_full_is_one_that_is_lost(held_redis):
    """It refuses what needs more: this gateway's share decides; what was spent is counted once there is room."""
    async with redis.asyncio.from_url(held_redis.url) as client, gateway(held_redis.url) as admission:
        admitted = await by_redis(admission, budgets=(budget(10_000_000),))
        await client.config_set("maxmemory", 1)
        await admission.settle(admitted.ticket, 1, 77)

        assert (await admission.admit(request())).degraded
        await client.config_set("maxmemory", 0)

        async with asyncio.timeout(20):
            while await counters(client) != {"used": 77, "held": 0}:
                await asyncio.sleep(0.05)


async def test_a_settle_that_redis_missed_happens_later(held_redis):
    """The caller waits for one timeout; the hold is settled when Redis is back."""
    async with redis.asyncio.from_url(held_redis.url) as client, gateway(held_redis.url) as admission:
        admitted = await by_redis(admission, budgets=(budget(10_000_000),))
        held_redis.freeze()
        await admission.settle(admitted.ticket, 1, 77)
        runner: Any = admission._runner
        async with asyncio.timeout(20):
            while not runner._breaker._failures:
                await asyncio.sleep(0.05)
            held_redis.thaw()
            while await leftovers(client):
                await asyncio.sleep(0.05)

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


@pytest.mark.parametrize("lost_again", [False, True], ids=["Redis is there", "Redis is lost again"])
def test_what_was_held_without_redis_does_not_come_back_to_what_redis_says_is_left(lost_again: bool) -> None:
    """Redis comes, says that 1,000 are left and goes: of these the request has cost 500, and its hold was in none."""
    limits, caps = LocalLimits(FakeClock(), PATIENT, replicas=lambda: 1), (budget(1_000_000),)
    alone = request(budgets=caps, hold=600)
    (key,) = alone.budget_keys
    limits.remember(key, 1_000, 1)
    limits.admit(alone)
    limits.occupy(alone)
    limits.remember(key, 1_000, 1)
    if lost_again:
        limits.admit(request(budgets=caps, hold=0))

    limits.release(alone.request_id, 500)

    left = 800 - 500 if lost_again else (1_000 - 500) * 8 // 10
    with pytest.raises(Unavailable):
        limits.admit(request(budgets=caps, hold=left + 1))
    limits.admit(request(budgets=caps, hold=left))
