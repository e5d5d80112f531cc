"""Lines of several replicas: slots are shared, given in turn, and given back whatever happens."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.sampled import sampled
from services.router.slots.asker import Asker
from services.router.slots.quota import Quota
from services.router.slots.settings import SlotSettings
from services.router.tests.slots.kit import NAME, Replica, replicas, until

ONE, TEN = Quota({"folder": 1}), Quota({"folder": 10})


async def test_a_slot_that_is_kept_is_given_without_asking_redis(redis_client: Redis) -> None:
    """After the first call, calls one after the other cost no round trip."""
    async with replicas(redis_client, 1, TEN) as (router,):
        (await router.take()).release()
        asked = len(router.exchanges.told)

        for _ in range(20):
            slot = await router.take()
            assert slot.queued_s < 1.0
            slot.release()

        # A tick may fall into the loop; a call of its own each would be twenty.
        assert len(router.exchanges.told) - asked <= 5


async def test_calls_of_all_replicas_together_are_never_more_than_the_quota(redis_client: Redis) -> None:
    """Sixty calls of three replicas at ten slots: each has its turn."""
    under_way, most = 0, 0

    async def call(router: Replica, user: str) -> None:
        nonlocal under_way, most
        slot = await router.take(user)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        slot.release()

    async with replicas(redis_client, 3, TEN) as routers, asyncio.TaskGroup() as calls:
        for number in range(60):
            calls.create_task(call(routers[number % 3], f"user{number % 7}"))
    assert most == 10


async def test_what_one_replica_keeps_is_given_to_another_that_needs_it(redis_client: Redis) -> None:
    """All ten, though the first one has kept some."""
    async with replicas(redis_client, 2, TEN) as (first, second):
        (await first.take()).release()
        slots = [await second.take() for _ in range(10)]
        assert {slot.credential for slot in slots} == {"folder"}


async def test_one_call_of_somebody_else_does_not_wait_behind_a_hundred(redis_client: Redis) -> None:
    """Over replicas too: the modest user's call is the next or the one after."""
    order: list[str] = []

    async def call(router: Replica, user: str) -> None:
        slot = await router.take(user)
        order.append(user)
        slot.release()

    async with replicas(redis_client, 3, ONE) as (holder, busy, other), asyncio.TaskGroup() as calls:
        held = await holder.take()
        for _ in range(100):
            calls.create_task(call(busy, "greedy"))
        await busy.until_told(100)
        calls.create_task(call(other, "modest"))
        await other.until_told(1)
        held.release()
    assert order.index("modest") <= 1
    assert len(order) == 101


async def test_a_tier_of_a_larger_share_is_served_more_often(redis_client: Redis) -> None:
    """Three calls of a pro user for one of a free one."""
    order: list[str] = []

    async def call(router: Replica, tier: str) -> None:
        slot = await router.take(tier, tier)
        order.append(tier)
        slot.release()

    async with replicas(redis_client, 1, ONE) as (router,), asyncio.TaskGroup() as calls:
        held = await router.take()
        for tier in ("free", "pro"):
            for _ in range(12):
                calls.create_task(call(router, tier))
        await router.until_told(25)
        held.release()
    assert 8 <= order[:12].count("pro") <= 10


async def test_a_caller_who_leaves_is_passed_over(redis_client: Redis) -> None:
    """Its slot is the next one's; nothing is lost."""
    async with replicas(redis_client, 1, ONE) as (router,):
        held = await router.take()
        leaving = asyncio.create_task(router.take())
        staying = asyncio.create_task(router.take())
        await router.until_told(3)
        leaving.cancel()
        held.release()

        (await staying).release()
        (await router.take()).release()


async def test_a_caller_who_leaves_as_it_is_served_gives_its_slot_back(redis_client: Redis) -> None:
    """Cancelled after the grant and before it could run."""
    async with replicas(redis_client, 1, ONE) as (router,):
        for _ in range(20):
            held = await router.take()
            leaving = asyncio.create_task(router.take())
            await asyncio.sleep(0)
            held.release()
            await asyncio.sleep(0.002)
            leaving.cancel()
            results = await asyncio.gather(leaving, return_exceptions=True)
            for slot in results:
                if not isinstance(slot, BaseException):
                    slot.release()
        (await router.take()).release()


async def test_a_wait_beyond_the_deadline_is_refused_at_once_and_says_when_to_come_again(redis_client: Redis) -> None:
    """It is known how long slots are held, and how many stand before."""
    async with replicas(redis_client, 1, ONE) as (router,):
        slot = await router.take()
        slot.taken_at -= 100.0
        slot.release()
        held = await router.take()

        with pytest.raises(Unavailable) as caught:
            await router.take(within_s=30.0)

        held.release()
    error = caught.value
    assert error.reason is ErrorReason.PROVIDER_RATE_LIMITED
    assert error.details["limit"] == "queue"
    assert error.retry_after_s == pytest.approx(70.0, abs=5.0)
    assert error.message == "The line for the provider is 100 s long, and 30 s are left. Try again later."


async def test_time_that_runs_out_in_the_line_is_a_refusal(redis_client: Redis) -> None:
    """Nothing was known of how long it would take."""
    async with replicas(redis_client, 1, ONE) as (router,):
        held = await router.take()
        with pytest.raises(Unavailable, match="in time"):
            await router.take(within_s=0.05)
        held.release()
        (await router.take()).release()


async def test_a_full_line_refuses_the_one_who_fills_it(redis_client: Redis) -> None:
    """With a time to come again; somebody else still finds a place."""
    settings = SlotSettings(places=2, rest_s=0.0)
    async with replicas(redis_client, 1, ONE, settings) as (router,):
        held = await router.take()
        first, second = (asyncio.create_task(router.take("greedy")) for _ in range(2))
        await router.until_told(3)
        with pytest.raises(Unavailable, match="full") as caught:
            await router.take("greedy")
        assert caught.value.retry_after_s == 1.0

        modest = asyncio.create_task(router.take("modest"))
        with pytest.raises(Unavailable, match="full"):
            await second
        held.release()
        (await first).release()
        (await modest).release()


async def test_a_request_of_several_calls_takes_what_is_free_and_never_waits_for_more(redis_client: Redis) -> None:
    """Three choices with one slot are asked one after the other."""
    async with replicas(redis_client, 1, ONE) as (router,):
        slot = await router.line.take(Asker(), None, wanted=3)
        assert slot.count == 1
        slot.release()
    async with replicas(redis_client, 1, TEN) as (router,):
        slot = await router.line.take(Asker(), None, wanted=3)
        assert slot.count == 3
        slot.release()
        assert sum(router.exchanges.told[-1].held.values()) <= 10


async def test_a_slot_of_a_rate_is_free_again_when_its_second_is_over(redis_client: Redis) -> None:
    """No period has more beginnings than the quota, over all replicas, however short the calls are."""
    began = list[float]()
    quota = Quota({"folder": 4}, period_s=0.3)

    async def call(router: Replica) -> None:
        slot = await router.take()
        slot.release()
        began.append(slot.taken_at)  # by now a process that stood still would seem to have begun late

    async with replicas(redis_client, 2, quota) as routers, asyncio.TaskGroup() as calls:
        for number in range(12):
            calls.create_task(call(routers[number % 2]))
    began.sort()
    assert all(later - earlier >= 0.29 for earlier, later in zip(began, began[4:], strict=False))


async def test_a_replica_that_stops_gives_its_slots_back(redis_client: Redis) -> None:
    """Others need not wait for its lease."""
    async with replicas(redis_client, 1, ONE) as (stopped,):
        await stopped.take()
    async with replicas(redis_client, 1, ONE) as (router,):
        (await router.take()).release()


async def test_without_redis_a_replica_has_its_share(redis_client: Redis) -> None:
    """Two of three slots with two replicas divided, never more; and in the same order."""
    settings = SlotSettings(replicas=2, rest_s=0.0)
    async with replicas(redis_client, 1, Quota({"folder": 4}), settings) as (router,):
        router.exchanges.are_lost = True
        slots = [await router.take(), await router.take()]
        order: list[str] = []

        async def call(user: str) -> None:
            slot = await router.take(user)
            order.append(user)
            slot.release()

        async with asyncio.TaskGroup() as calls:
            for user in ("a", "a", "a", "b"):
                calls.create_task(call(user))
            await asyncio.sleep(0)
            slots[0].release()
        assert order == ["a", "b", "a", "a"]
        slots[1].release()


async def test_when_redis_is_back_what_is_in_use_is_counted_again(redis_client: Redis) -> None:
    """A call that began without Redis still has its slot; who waited joins the line of all."""
    async with replicas(redis_client, 2, ONE) as (router, other):
        router.exchanges.are_lost = True
        held = await router.take()
        waiting = asyncio.create_task(router.take())
        await asyncio.sleep(0)
        before = len(router.exchanges.told)
        router.exchanges.are_lost = False
        # Whatever it tells next may come before anybody looks.
        await until(
            lambda: any(told.held == {"folder": 1} and len(told.joined) == 1 for told in router.exchanges.told[before:])
        )

        elsewhere = asyncio.create_task(other.take("v"))
        await other.until_told(1)
        assert not elsewhere.done()
        held.release()
        (await waiting).release()
        (await elsewhere).release()


async def test_a_redis_that_lost_its_data_is_told_again_who_waits(redis_client: Redis) -> None:
    """Nobody waits for a grant that will not come."""
    async with replicas(redis_client, 2, ONE) as (first, second):
        held = await first.take()
        waiting = asyncio.create_task(second.take())
        await second.until_told(1)
        await redis_client.flushdb()
        held.release()

        (await waiting).release()


async def test_a_changed_quota_is_given_out_from_then_on(redis_client: Redis) -> None:
    """A key with a raised limit was put into its file."""
    async with replicas(redis_client, 1, ONE) as (router,):
        held = await router.take()
        waiting = asyncio.create_task(router.take())
        await router.until_told(2)

        assert router.lines.line("yandexgpt", Quota({"folder": 2})) is router.line

        (await waiting).release()
        held.release()


async def test_the_gauge_of_a_quota_is_that_of_the_quota_in_force(redis_client: Redis) -> None:
    """Of a key with a raised limit, else a line that has room looks used up."""
    async with replicas(redis_client, 1, ONE) as (router,):
        router.lines.line(NAME, TEN)

        assert sampled("razvilka_router_slots_quota", line=NAME) == 10


async def test_a_provider_without_a_limit_has_no_line(redis_client: Redis) -> None:
    """Also when only one of its credentials has none."""
    async with replicas(redis_client, 1, ONE) as (router,):
        assert router.lines.line("open", Quota({"key": 0})) is None
        assert router.lines.line("open", Quota({"one": 5, "two": 0})) is None
