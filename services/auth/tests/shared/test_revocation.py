"""Revocations reach the gateways: at once, late, or again after Redis has lost its memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from redis.asyncio import Redis

from servicekit.errors import Unauthenticated, Unavailable
from servicekit.redis import open_redis, published
from servicekit.settings import RedisSettings
from servicekit.testing import FakeClock
from services.auth.shared.cache.revocation_channel import REVOCATIONS_KEY, REVOKED_CHANNEL, RevocationChannel
from services.auth.shared.domain.revocation import Revocation, RevokedKind
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.store.revocations import RevocationStore, insert_revocation
from services.auth.tests.conftest import settings_for
from tools.testing.redis_clients import client_of, redis_settings

if TYPE_CHECKING:
    from services.auth.tests.conftest import AuthCaller, StartAuth

KEEP = timedelta(hours=1)


@pytest.fixture
async def gateway(redis_client: Redis) -> AsyncIterator[Any]:
    """Return a subscription as a gateway has it."""
    async with redis_client.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(REVOKED_CHANNEL)
        # The subscription is in force only when Redis has confirmed it.
        await pubsub.get_message(timeout=60)
        yield pubsub


async def heard(pubsub: Any) -> dict[str, Any]:
    """Return the next pushed revocation."""
    async with asyncio.timeout(60):
        while (message := await pubsub.get_message(timeout=1)) is None:
            continue
    entry: dict[str, Any] = json.loads(message["data"])
    return entry


async def kept(client: Any) -> list[dict[str, Any]]:
    """Return what a gateway that reconnects finds, oldest first."""
    return [json.loads(entry) for entry in await client.zrange(REVOCATIONS_KEY, 0, -1)]


@pytest.fixture
def feed(auth_pool: asyncpg.Pool[Any], redis_client: Redis, clock: FakeClock) -> RevocationFeed:
    """Return the feed without the rest of the service."""
    return feed_over(auth_pool, redis_client, clock)


def feed_over(pool: asyncpg.Pool[Any], client: Redis, clock: FakeClock) -> RevocationFeed:
    """Return a feed over this Redis."""
    return RevocationFeed(RevocationStore(pool), RevocationChannel(client, keep=KEEP), clock=clock)


async def revoke(pool: asyncpg.Pool[Any], feed: RevocationFeed, clock: FakeClock, subject: str) -> Revocation:
    """Commit a revocation without telling anybody."""
    async with pool.acquire() as connection, connection.transaction():
        now = clock.now()
        return await insert_revocation(connection, RevokedKind.KEY, subject, now, now + KEEP)


async def waiting(pool: asyncpg.Pool[Any]) -> int:
    """Return how many revocations the gateways have not been told."""
    return int(await pool.fetchval("SELECT count(*) FROM auth.revocations WHERE published_at IS NULL"))


async def test_a_revoked_key_is_pushed_and_kept(
    auth: AuthCaller, gateway: Any, redis_client: Redis, auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """Who listens hears of it, who reconnects finds it, and the row says that it was told."""
    user = await auth.new_user()
    issued = await auth.new_key(user)

    await auth.revoke(user, issued.key.id)

    expected = {"kind": "key", "id": issued.key.id, "at": int(clock.now().timestamp() * 1000)}
    assert await heard(gateway) == expected
    assert await kept(redis_client) == [expected]
    assert await redis_client.zscore(REVOCATIONS_KEY, json.dumps(expected, separators=(",", ":"))) == expected["at"]
    assert await waiting(auth_pool) == 0


async def test_a_kind_of_a_later_release_is_passed_on_and_holds_nothing_up(
    gateway: Any,
    feed: RevocationFeed,
    redis_client: Redis,
    auth_pool: asyncpg.Pool[Any],
    clock: FakeClock,
) -> None:
    """While both run, either may be who tells: gateways of that release know the kind, and all know a key."""
    await revoke(auth_pool, feed, clock, "of-later")
    await auth_pool.execute("UPDATE auth.revocations SET kind = 'device'")
    await revoke(auth_pool, feed, clock, "key-7")

    await feed.sweep()

    entries = [await heard(gateway), await heard(gateway)]
    assert [(each["kind"], each["id"]) for each in entries] == [("device", "of-later"), ("key", "key-7")]
    assert await waiting(auth_pool) == 0
    await redis_client.flushall()
    await feed.sweep()
    assert {each["kind"] for each in await kept(redis_client)} == {"device", "key"}


async def test_more_revocations_than_connections_are_pushed(redis_url: str, clock: FakeClock) -> None:
    """As after Redis lost its memory: all of them reach who listens, over the few connections that there are."""
    at, until = clock.now(), clock.now() + KEEP
    ended = [Revocation(number, RevokedKind.KEY, f"key-{number}", at, until) for number in range(5)]
    async with (
        open_redis(redis_settings(redis_url, pool_max=2)) as few,
        client_of(redis_url) as ours,
        aclosing(published(ours, REVOKED_CHANNEL, poll_s=1.0)) as messages,
    ):
        assert await anext(messages) is None
        await RevocationChannel(few, keep=KEEP).publish(ended, at)

        said = [await anext(messages) for _ in ended]
    assert [json.loads(entry or b"")["id"] for entry in said] == [each.subject_id for each in ended]


async def test_a_revoke_succeeds_without_redis_and_is_pushed_when_it_is_back(
    auth_dsn: str,
    redis_url: str,
    free_port: int,
    start_auth: StartAuth,
    gateway: Any,
    auth_pool: asyncpg.Pool[Any],
) -> None:
    """The database is the truth; a later sweep, of whichever process, tells the gateways."""
    async with start_auth(settings_for(auth_dsn, f"redis://127.0.0.1:{free_port}/0")) as auth:
        user = await auth.new_user()
        issued = await auth.new_key(user)
        await auth.revoke(user, issued.key.id)
        with pytest.raises(Unauthenticated):
            await auth.verify(issued.secret)
        assert await waiting(auth_pool) == 1

    async with start_auth(settings_for(auth_dsn, redis_url)):
        entry = await heard(gateway)

    assert entry["id"] == issued.key.id


async def test_an_announcement_never_fails(auth_pool: asyncpg.Pool[Any], clock: FakeClock, free_port: int) -> None:
    """Whoever revoked is not told that Redis is down; the sweep says so to upkeep."""
    settings = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{free_port}/0"})
    async with open_redis(settings) as nowhere:
        feed = feed_over(auth_pool, nowhere, clock)
        revocation = await revoke(auth_pool, feed, clock, "k1")

        await feed.announce(revocation)

        with pytest.raises(Unavailable):
            await feed.sweep()
    assert await waiting(auth_pool) == 1


async def test_the_sweep_pushes_what_nobody_announced(
    feed: RevocationFeed, gateway: Any, auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """A process that died between the commit and the push leaves work, not a hole."""
    await feed.sweep()
    await revoke(auth_pool, feed, clock, "k1")

    await feed.sweep()

    assert (await heard(gateway))["id"] == "k1"
    assert await waiting(auth_pool) == 0


async def test_an_emptied_redis_gets_back_what_counts(
    feed: RevocationFeed, redis_client: Redis, auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """After FLUSHALL the next sweep puts the last hour back, and the sweeps after it do nothing."""
    await feed.announce(await revoke(auth_pool, feed, clock, "too old"))
    clock.advance(KEEP.total_seconds())
    await feed.announce(await revoke(auth_pool, feed, clock, "recent"))
    await feed.sweep()
    await redis_client.flushdb()

    await feed.sweep()

    assert [entry["id"] for entry in await kept(redis_client)] == ["recent"]
    await redis_client.delete(REVOCATIONS_KEY)
    await feed.sweep()
    assert not await redis_client.exists(REVOCATIONS_KEY)


async def test_the_set_is_trimmed_and_ends_by_itself(
    feed: RevocationFeed, redis_client: Redis, auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """Entries older than an hour go with the next push; without one the whole set expires."""
    await feed.announce(await revoke(auth_pool, feed, clock, "first"))
    clock.advance(KEEP.total_seconds() + 1)

    await feed.announce(await revoke(auth_pool, feed, clock, "second"))

    assert [entry["id"] for entry in await kept(redis_client)] == ["second"]
    assert 0 < await redis_client.ttl(REVOCATIONS_KEY) <= KEEP.total_seconds()


async def test_only_told_and_outlived_revocations_are_forgotten(
    feed: RevocationFeed, auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """What the gateways have not been told stays, however old."""
    await feed.announce(await revoke(auth_pool, feed, clock, "told"))
    await revoke(auth_pool, feed, clock, "untold")
    clock.advance(KEEP.total_seconds())
    await feed.announce(await revoke(auth_pool, feed, clock, "recent"))

    await feed.forget()

    left = await auth_pool.fetch("SELECT subject_id FROM auth.revocations ORDER BY number")
    assert [row["subject_id"] for row in left] == ["untold", "recent"]
