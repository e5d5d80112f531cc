"""What a subscription does when nobody is at the other end of its connection any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from servicekit.redis import open_redis, published
from servicekit.testing.relay import Relay
from tools.testing.redis_clients import redis_settings

POLL_S: Final = 0.05
CHANNEL: Final = "test:subscription"


@pytest.fixture
async def relay(redis_server_url: str) -> AsyncIterator[Relay]:
    """Yield a relay before Redis."""
    there = urlsplit(redis_server_url)
    relay = Relay(str(there.hostname), int(there.port or 0))
    yield relay
    relay.shut()


@pytest.fixture
async def client(relay: Relay, redis_server_url: str) -> AsyncIterator[Redis]:
    """Yield a client that goes through the relay."""
    there = urlsplit(redis_server_url)
    who, at, _ = there.netloc.rpartition("@")
    here = urlunsplit(there._replace(netloc=f"{who}{at}127.0.0.1:{await relay.open()}"))
    async with open_redis(redis_settings(here)) as client:
        yield client


async def test_a_server_that_has_vanished_ends_a_subscription_whose_connection_stays(
    client: Redis, relay: Relay
) -> None:
    """A machine without power closes nothing: who waits for what it publishes goes to its successor."""
    async with aclosing(published(client, CHANNEL, poll_s=POLL_S)) as heard:
        assert await anext(heard) is None
        relay.is_silent = True

        with pytest.raises(RedisTimeoutError):
            await asyncio.wait_for(anext(heard), timeout=60)
        relay.is_silent = False


async def test_a_subscription_on_which_nothing_is_said_stays(client: Redis) -> None:
    """A server that answers is there, however long nobody publishes anything."""
    async with aclosing(published(client, CHANNEL, poll_s=POLL_S)) as heard:
        assert await anext(heard) is None
        message = asyncio.ensure_future(anext(heard))
        done, _ = await asyncio.wait([message], timeout=20 * POLL_S)
        assert not done

        await client.publish(CHANNEL, "something")

        assert await message == b"something"
