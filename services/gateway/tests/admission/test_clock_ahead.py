"""The clock of Redis was ahead and was put back: nobody is shut out for as long, and no debt is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio

from services.gateway.admission.admission import Admission
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.keys import HOLDS, RUNNING
from services.gateway.admission.request import AdmissionRefused
from services.gateway.tests.admission_kit import USER, admission_on, names, request

AHEAD_US = 7_200_000_000


async def written_ahead(client: redis.asyncio.Redis) -> None:
    """Have all times of buckets be those of a clock that was two hours ahead."""
    for key in await names(client, "gw:{*}:s:*"):
        fields: dict[Any, Any] = await client.hgetall(key)
        await client.hset(key, mapping={name: f"{float(value) + AHEAD_US:.2f}" for name, value in fields.items()})


async def test_a_slot_that_a_gateway_died_with_is_free_a_lease_later(
    redis_url: str, redis_client: redis.asyncio.Redis
) -> None:
    """Whoever is refused for it has it cut, and what it holds of budgets; one that is alive renews both."""
    limits, subjects = Limits(concurrent_requests=1), [f"gw:{{{USER}}}:{RUNNING}user", f"gw:{{{USER}}}:{HOLDS}"]
    async with admission_on(redis_url) as admission:
        await admission.admit(request(user=limits, request_id="dead"))
        right = [float(await redis_client.zscore(key, "dead") or 0) for key in subjects]
        for key in subjects:
            await redis_client.zincrby(key, AHEAD_US, "dead")

        await wait_for(admission, limits)
        cut = [float(await redis_client.zscore(key, "dead") or 0) for key in subjects]

    assert all(before <= after < before + AHEAD_US / 2 for before, after in zip(right, cut, strict=True))


async def wait_for(admission: Admission, limits: Limits) -> float:
    """Return how long a request is to wait."""
    with pytest.raises(AdmissionRefused) as refused:
        await admission.admit(request(user=limits, tokens=100))
    return refused.value.retry_after_s or 0.0


async def test_requests_wait_for_one_that_comes_back(redis_url: str, redis_client: redis.asyncio.Redis) -> None:
    """A bucket that counts requests is full at most."""
    limits = Limits(requests_per_minute=2)
    async with admission_on(redis_url) as admission:
        await admission.admit(request(user=limits))
        await written_ahead(redis_client)

        assert 0 < await wait_for(admission, limits) <= 30


async def test_what_tokens_are_owed_stays(redis_url: str, redis_client: redis.asyncio.Redis) -> None:
    """Ten minutes' worth, counted from when Redis has the right time."""
    limits = Limits(tokens_per_minute=1000)
    async with admission_on(redis_url) as admission:
        first = await admission.admit(request(user=limits, tokens=100))
        await admission.settle(first.ticket, 10_000, 0)
        before = await wait_for(admission, limits)
        await written_ahead(redis_client)

        after = await wait_for(admission, limits)

    # As long as before the clock was put back, less what a slow machine took in the first case.
    assert 300 < before <= after <= 546.1


async def test_what_was_taken_ahead_is_settled_as_it_is_now(redis_url: str, redis_client: redis.asyncio.Redis) -> None:
    """Unused tokens come back; what is left counts from the right time."""
    limits = Limits(tokens_per_minute=200)
    async with admission_on(redis_url) as admission:
        first = await admission.admit(request(user=limits, tokens=200))
        await written_ahead(redis_client)
        await admission.settle(first.ticket, 100, 0)

        assert await admission.admit(request(user=limits, tokens=100))
