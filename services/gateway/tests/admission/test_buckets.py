"""Buckets give back whole units; those apart from the limits of users: shared in Redis, local without it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from servicekit.testing.relay import Relay
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.redis.shared_buckets import SharedBuckets
from services.gateway.admission.request import AdmissionRefused
from services.gateway.tests.admission_kit import USER, admission_on, request


async def later(client: redis.asyncio.Redis, key: str, field: str, *, seconds: float) -> None:
    """Have a bucket be as it is after so long."""
    await client.hset(key, field, f"{float(await client.hget(key, field) or 0) - seconds * 1e6:.2f}")


async def test_a_unit_that_is_half_back_admits_nothing(redis_url: str, redis_client: redis.asyncio.Redis) -> None:
    """One a minute is none after forty seconds, and one after sixty."""
    limits, state = Limits(requests_per_minute=1), f"gw:{{{USER}}}:s:user"
    async with admission_on(redis_url) as admission:
        await admission.admit(request(user=limits))
        await later(redis_client, state, "rpm", seconds=40)

        with pytest.raises(AdmissionRefused) as refused:
            await admission.admit(request(user=limits))
        await later(redis_client, state, "rpm", seconds=20)

        assert [figure.remaining for figure in refused.value.report.figures] == [0]
        assert 0 < (refused.value.retry_after_s or 0) <= 20
        assert (await admission.admit(request(user=limits))).report.figures[0].remaining == 0


@pytest.mark.parametrize("limit", [7, 3_000_000_000])
async def test_what_is_left_of_a_limit_is_never_more_than_it(redis_url: str, limit: int) -> None:
    """A unit may be less than the microsecond by which times are rounded; all of it at once fits."""
    limits = Limits(tokens_per_minute=limit)
    async with admission_on(redis_url) as admission:
        told = (await admission.admit(request(user=limits, tokens=0))).report.figures[0].remaining
        await admission.admit(request(user=limits, tokens=limit))

    assert told == limit


async def test_what_uses_no_tokens_passes_where_all_are_spent_or_owed(redis_url: str) -> None:
    """Counting the tokens of a text is free: the quota of a day refused it, and the debt of a minute."""
    day, minute = Limits(tokens_per_day=10), Limits(tokens_per_minute=10)
    async with admission_on(redis_url) as admission:
        spent = await admission.admit(request(user=day, key=minute, tokens=10))
        await admission.settle(spent.ticket, 1_000, 0)

        free = await admission.admit(request(user=day, key=minute, tokens=0))
        with pytest.raises(AdmissionRefused):
            await admission.admit(request(user=day, key=minute, tokens=1))

    assert [figure.remaining for figure in free.report.figures] == [0, 0]


def test_without_redis_what_uses_no_tokens_passes_too() -> None:
    """As with it."""
    local, limits = LocalLimits(FakeClock(), AdmissionOptions(), replicas=lambda: 1), Limits(tokens_per_minute=10)
    spent = request(user=limits, tokens=10)
    local.admit(spent)
    local.release(spent.request_id, 0, 1_000)

    assert local.admit(request(user=limits, tokens=0)).figures[0].remaining == 0


async def test_shared_buckets_are_one_for_all_gateways(redis_client):
    """Two gateways together grant the burst and no more; the wait is what one unit takes to come back."""
    one = SharedBuckets(redis_client, FakeClock(), prefix="test:")
    two = SharedBuckets(redis_client, FakeClock(), prefix="test:")

    taken = [await each.take("address", limit=4, window_s=3600) for each in (one, two, one, two, one, two)]

    assert [each.wait_s > 0 for each in taken] == [False] * 4 + [True] * 2
    assert {each.limiter for each in taken} == {"redis"}
    assert 880 < taken[-1].wait_s <= 900
    assert (await one.take("another", limit=4, window_s=3600)).wait_s == 0


async def test_a_redis_whose_clock_was_ahead_shuts_no_address_out(redis_client):
    """Once another server, or a correction, has the right time, a bucket is full at most: one unit is waited for."""
    seconds, _ = await redis_client.time()
    await redis_client.set("test:address", f"{(seconds + 7200) * 1_000_000}.00")

    taken = await SharedBuckets(redis_client, FakeClock(), prefix="test:").take("address", limit=4, window_s=3600)

    assert 0 < taken.wait_s <= 900


async def test_shared_buckets_grant_half_without_redis(free_port):
    """Each gateway for itself, until Redis is back; one at least."""
    async with redis.asyncio.Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as lost:
        buckets = SharedBuckets(lost, FakeClock(), prefix="test:")
        taken = [await buckets.take("address", limit=4, window_s=60) for _ in range(3)]
        small = [await buckets.take("other", limit=1, window_s=60) for _ in range(2)]

    assert [each.wait_s for each in taken] == [0, 0, pytest.approx(30, abs=1e-3)]
    assert {each.limiter for each in taken} == {"local"}
    assert [each.wait_s > 0 for each in small] == [False, True]


async def test_what_redis_granted_is_not_granted_once_more_without_it(redis_url):
    """An address that has had all has half of it back when half of the time has passed, not when Redis goes."""
    clock, there = FakeClock(), urlsplit(redis_url)
    relay = Relay(there.hostname, there.port)
    url = there._replace(netloc=f"127.0.0.1:{await relay.open()}").geturl()
    async with redis.asyncio.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        buckets = SharedBuckets(client, clock, prefix="test:")
        shared = [await buckets.take("address", limit=4, window_s=3600) for _ in range(4)]
        relay.shut()
        alone = await buckets.take("address", limit=4, window_s=3600)
        clock.advance(1800)
        later = await buckets.take("address", limit=4, window_s=3600)

    assert [each.wait_s for each in shared] == [0] * 4
    assert alone.wait_s == pytest.approx(1800, abs=1e-2)
    assert later.wait_s == 0
    assert {alone.limiter, later.limiter} == {"local"}


async def test_buckets_without_redis_are_told_to_an_operator(free_port):
    """With the kind of error it was."""
    async with redis.asyncio.Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as lost:
        with capture_logs() as logs:
            await SharedBuckets(lost, FakeClock(), prefix="test:").take("address", limit=4, window_s=60)

    assert logs == [
        {"event": "admission.buckets_without_redis", "log_level": "warning", "error": "ConnectionError"},
    ]


async def test_a_bucket_is_forgotten_when_it_has_long_been_full(redis_client):
    """Addresses that came once leave nothing behind."""
    await SharedBuckets(redis_client, FakeClock(), prefix="test:").take("address", limit=60, window_s=60)

    assert 0 < await redis_client.pttl("test:address") <= 61_000
