"""One gateway at a time does a chore, on a real Redis."""

from __future__ import annotations

import asyncio

import pytest
import redis.asyncio
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.metering.leader_election import LeaderElection


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
    assert 0 < life_ms <= 60_000
    assert await redis_client.keys() == []


async def test_a_chore_is_cut_before_its_lock_ends(redis_client):
    """Otherwise two could be at it."""
    with pytest.raises(TimeoutError):
        async with LeaderElection(redis_client).elected("reaper", timeout_s=0.5):
            await asyncio.Event().wait()

    assert await redis_client.keys() == []


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
    async with redis.asyncio.from_url(f"redis://127.0.0.1:{free_port}") as client:
        with pytest.raises(Unavailable, match=r"^Redis cannot elect a leader\.$") as refused:
            async with LeaderElection(client).elected("reaper", timeout_s=60):
                pytest.fail("nobody said so")

    assert refused.value.reason is ErrorReason.CACHE_ERROR
    assert isinstance(refused.value.__cause__, redis.exceptions.ConnectionError)
