"""Who is refused, for what, from where; successful requests leave nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from starlette.types import Scope

from servicekit.testing.fake_clock import FakeClock
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.refusals import BUCKETS, KEPT, PREFIX, By, Refusals, Refused, Window
from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge

ADMIN = {"authorization": "Bearer rz_live_admin"}
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def refused(address: str, reason: str = "invalid_key") -> RequestContext:
    """Return a request from an address that was refused."""
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": (address, 1)}
    context = RequestContext(scope)
    context.error_code = reason
    return context


@pytest.fixture
def time_() -> FakeClock:
    """Return the counter's clock."""
    return FakeClock(NOON)


@pytest.fixture
def refusals(redis_client: Redis, time_: FakeClock) -> Refusals:
    """Return a counter that flushes when it is told."""
    return Refusals(redis_client, time_, ())


async def seen(edge: Edge, wanted: int, **query: Any) -> list[tuple[str, str, int]]:
    """Return what an administrator sees once it is `wanted` refusals: the gateway brings them to Redis by itself.

    It may do so in the middle of them.
    """
    async with asyncio.timeout(30):
        while True:
            answer = await edge.client.get("/v1/admin/abuse", params=query, headers=ADMIN)
            rows = [(each["subject"], each["reason"], each["refusals"]) for each in answer.json()["data"]]
            if sum(refusals for _, _, refusals in rows) >= wanted:
                return rows
            await asyncio.sleep(0.05)


async def test_an_administrator_sees_who_is_refused_for_what(edge: Edge, backends: Backends) -> None:
    """By key, account and address, with the code that the caller saw; what succeeded is not there."""
    backends.auth.callers["rz_live_admin"] = caller(scopes=["admin"], user_id="boss", key_id="boss-key")
    backends.auth.callers["rz_live_narrow"] = caller(scopes=["usage:read"], user_id="narrow", key_id="narrow-key")
    for _ in range(3):
        await edge.client.get("/v1/models", headers={"authorization": "Bearer rz_live_narrow"})
    await edge.client.get("/v1/models", headers={"authorization": "Bearer rz_live_wrong"})
    assert (await edge.client.get("/v1/models")).status_code == 200

    by_key = await seen(edge, 3, by="key")
    by_account = await seen(edge, 3, by="account", window="day")
    by_address = await seen(edge, 4)
    narrowed = await seen(edge, 1, reason="invalid_key")

    assert by_key == [("narrow-key", "insufficient_scope", 3)]
    assert by_account == [("narrow", "insufficient_scope", 3)]
    assert by_address == [("127.0.0.1", "insufficient_scope", 3), ("127.0.0.1", "invalid_key", 1)]
    assert narrowed == [("127.0.0.1", "invalid_key", 1)]


async def test_odd_questions_are_400(edge: Edge, backends: Backends) -> None:
    """The parameter at fault is named."""
    backends.auth.callers["rz_live_admin"] = caller(scopes=["admin"])

    answers = [
        await edge.client.get("/v1/admin/abuse", params=query, headers=ADMIN)
        for query in ({"by": "prompt"}, {"window": "year"}, {"limit": 0})
    ]

    assert [(each.status_code, each.json()["error"]["param"]) for each in answers] == [
        (400, "by"),
        (400, "window"),
        (400, "limit"),
    ]


async def test_gateways_add_up_and_an_hour_forgets(refusals: Refusals, redis_client: Redis, time_: FakeClock) -> None:
    """Two gateways count one address; after an hour the day still has it, after a day nothing does."""
    other = Refusals(redis_client, time_, ())
    for each in (refusals, refusals, other):
        each.note(refused("203.0.113.7"))
    await refusals.flush()
    await other.flush()

    at_once = await refusals.most(By.ADDRESS, Window.HOUR)
    time_.advance(timedelta(minutes=70).total_seconds())
    after_an_hour = [await refusals.most(By.ADDRESS, window) for window in Window]
    time_.advance(timedelta(days=1).total_seconds())

    three = [Refused("203.0.113.7", "invalid_key", 3)]
    assert (at_once, after_an_hour) == (three, [[], three])
    assert await refusals.most(By.ADDRESS, Window.DAY) == []


async def test_a_flood_of_addresses_is_bounded_and_the_worst_stay(refusals: Refusals, redis_client: Redis) -> None:
    """A bucket keeps the most refused subjects; every key of it expires by itself."""
    for _ in range(50):
        refusals.note(refused("203.0.113.7", "rate_limit_exceeded"))
    for number in range(KEPT + 300):
        refusals.note(refused(f"10.0.{number // 250}.{number % 250}"))

    await refusals.flush()

    found = await refusals.most(By.ADDRESS, Window.HOUR)
    keys = [key async for key in redis_client.scan_iter(f"{PREFIX}:*") if b"sum" not in key]
    assert found[0] == Refused("203.0.113.7", "rate_limit_exceeded", 50)
    assert [await redis_client.zcard(key) for key in keys] == [KEPT] * 2
    assert all([await redis_client.ttl(key) > 0 for key in keys])


async def test_whoever_a_bucket_keeps_is_found_behind_a_flood_in_another(refusals: Refusals, time_: FakeClock) -> None:
    """Its count is exact as long as its own bucket has room; those who ask for one subject must see it."""
    for number in range(KEPT):
        for _ in range(2):
            refusals.note(refused(f"10.0.{number // 250}.{number % 250}"))
    await refusals.flush()
    time_.advance(BUCKETS[Window.HOUR].length_s)
    refusals.note(refused("203.0.113.7", "invalid_client"))
    await refusals.flush()

    assert Refused("203.0.113.7", "invalid_client", 1) in await refusals.most(By.ADDRESS, Window.HOUR)


async def test_who_was_refused_is_kept_for_26_hours_at_most(
    refusals: Refusals, redis_client: Redis, time_: FakeClock
) -> None:
    """Addresses are of persons: what is written to its last second ends no later than the page of abuse says."""
    for seconds in (0, BUCKETS[Window.DAY].length_s - 1):
        time_.advance(seconds)
        refusals.note(refused("203.0.113.7"))
        await refusals.flush()

    (of_an_hour,) = [key async for key in redis_client.scan_iter(f"{PREFIX}:address:day:*")]
    since_the_first_s = BUCKETS[Window.DAY].length_s - 1 + await redis_client.ttl(of_an_hour)
    assert 25 * 3600 <= since_the_first_s <= 26 * 3600


async def test_a_home_with_ipv6_is_one_subject(refusals: Refusals) -> None:
    """Whoever has a /64 has 2**64 addresses: they are counted as one."""
    for host in ("1", "2:3", "ffff:ffff"):
        refusals.note(refused(f"2001:db8:7:1::{host}"))
    await refusals.flush()

    assert await refusals.most(By.ADDRESS, Window.HOUR) == [Refused("2001:db8:7:1::/64", "invalid_key", 3)]
