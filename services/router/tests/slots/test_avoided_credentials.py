"""Calls that avoid a credential: they wait for another one, and hold up nobody who does not."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from services.router.slots.quota import Quota
from services.router.tests.slots.kit import Replica, replicas, until

TWO = Quota({"good": 2, "bad": 3})


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_call_is_given_only_what_it_does_not_avoid(redis_client: Redis, is_lost: bool) -> None:
    """Kept here, asked for in Redis, or without Redis."""
    async with replicas(redis_client, 1, TWO) as (router,):
        router.exchanges.are_lost = is_lost
        for _ in range(20):
            slot = await router.take(avoided=("bad",))
            assert slot.credential == "good"
            slot.release()


async def _waits(router: Replica, *, avoided: tuple[str, ...]) -> asyncio.Task[str]:
    async def call() -> str:
        return (await router.take(avoided=avoided)).credential

    before = sum(len(told.joined) for told in router.exchanges.told)
    waiting = asyncio.create_task(call())
    await until(lambda: sum(len(told.joined) for told in router.exchanges.told) > before)
    return waiting


async def test_who_avoids_a_credential_waits_and_those_behind_do_not(redis_client: Redis) -> None:
    """Over two replicas: free slots of the other credential are used, and the first in line keeps its place."""
    async with replicas(redis_client, 2, TWO) as (one, two):
        held = [await one.take(avoided=("bad",)) for _ in range(2)]
        picky = await _waits(one, avoided=("bad",))
        others = [await two.take() for _ in range(3)]
        assert [slot.credential for slot in others] == ["bad"] * 3
        later = await _waits(two, avoided=())
        assert not picky.done()

        held.pop().release()
        assert await asyncio.wait_for(picky, 60) == "good"
        others.pop().release()
        assert await asyncio.wait_for(later, 60) == "bad"


async def test_without_redis_too_nobody_waits_behind_who_avoids_a_credential(redis_client: Redis) -> None:
    """One replica, in the same order."""
    async with replicas(redis_client, 1, TWO) as (router,):
        router.exchanges.are_lost = True
        held = [await router.take(avoided=("bad",)) for _ in range(2)]
        picky = asyncio.create_task(router.take(avoided=("bad",)))
        others = [await router.take() for _ in range(3)]
        assert [slot.credential for slot in others] == ["bad"] * 3
        assert not picky.done()

        held.pop().release()
        assert (await picky).credential == "good"
