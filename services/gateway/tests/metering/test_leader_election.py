"""One gateway at a time does a chore, on a real Redis."""

from __future__ import annotations

import asyncio

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.metering.chores import leader_election
from services.gateway.metering.chores.leader_election import LeaderElection


async def test_one_at_a_time_is_elected_for_each_chore(redis_client):
    """The next one when the first is done; another chore has a leader of its own."""
    one, other = LeaderElection(redis_client), LeaderElection(redis_client)
    async with (
        one.elected("reaper", timeout_s=60) as first,
        other.elected("reaper", timeout_s=60) as second,
        other.elected("sweeper", timeout_s=60) as of_another_chore,
    ):
        life_ms = await redis_client.pttl("gw:elected:reaper")
    async with other.elected("reaper", timeout_s=60) as afterwards:
        pass

    assert (first, second, of_another_chore, afterwards) == (True, False, True, True)
    assert 0 < life_ms <= 10_000
    assert await redis_client.keys() == []


async def test_a_chore_is_cut_before_its_lock_ends(redis_client):
    """Otherwise two could be at it."""
    with pytest.raises(TimeoutError):
        async with LeaderElection(redis_client).elected("reaper", timeout_s=0.5):
            await asyncio.Event().wait()

    assert await redis_client.keys() == []


async def test_a_killed_gateways_chore_is_taken_up_within_seconds_however_long_it_may_take(redis_client):
    """The lock lives as long as a proof of life, not as long as the longest work."""
    killed = LeaderElection(redis_client).elected("people", timeout_s=300)
    await killed.__aenter__()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()

    assert 0 < await redis_client.pttl("gw:elected:people") <= 10_000


async def test_a_lock_is_renewed_while_the_work_goes_on(redis_client, monkeypatch):
    """Work that takes longer than the lock's life is done by one all the same: again and again it has a whole life."""
    monkeypatch.setattr(leader_election, "LIFE_S", 60.0)
    monkeypatch.setattr(leader_election, "RENEWALS", 600)
    one, other = LeaderElection(redis_client), LeaderElection(redis_client)
    async with one.elected("people", timeout_s=600):
        for _ in range(3):
            await redis_client.pexpire("gw:elected:people", 30_000)
            async with asyncio.timeout(25):
                while await redis_client.pttl("gw:elected:people") <= 30_000:
                    await asyncio.sleep(0.01)
        async with other.elected("people", timeout_s=600) as second:
            pass

    assert not second


async def test_work_is_cut_when_its_lock_was_taken(redis_client, monkeypatch):
    """Redis lost it, or this process stood still; two must not be at it for long."""
    monkeypatch.setattr(leader_election, "LIFE_S", 0.5)

    async def work() -> None:
        async with LeaderElection(redis_client).elected("people", timeout_s=60):
            await redis_client.set("gw:elected:people", "another's")
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()


async def test_a_lock_that_is_lost_meanwhile_is_said_and_taken_from_nobody(redis_client):
    """It ended, and somebody else has it by now."""
    with capture_logs() as logged:
        async with LeaderElection(redis_client).elected("reaper", timeout_s=60):
            await redis_client.set("gw:elected:reaper", "another's")

    assert await redis_client.get("gw:elected:reaper") == b"another's"
    assert logged == [
        {"event": "elected.release_missed", "log_level": "debug", "name": "reaper", "error": "LockNotOwnedError"}
    ]


async def test_without_redis_nobody_is_elected(free_port):
    """The chore waits for its next time, and the error says why."""
    async with redis.asyncio.Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(Unavailable, match=r"^Redis cannot elect a leader\.$") as refused:
            async with LeaderElection(client).elected("reaper", timeout_s=60):
                pytest.fail("nobody said so")

    assert refused.value.reason is ErrorReason.CACHE_ERROR
    assert isinstance(refused.value.__cause__, redis.exceptions.ConnectionError)
