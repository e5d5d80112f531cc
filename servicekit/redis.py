"""Redis clients: redis-py with hiredis, opened from settings, with timeouts that bound every call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from servicekit.settings import RedisSettings


@asynccontextmanager
async def open_redis(settings: RedisSettings, *, timeout_ms: int | None = None) -> AsyncIterator[Redis]:
    """Yield a client that never waits longer than `timeout_ms`, else the settings' own, for one answer.

    One retry without delay: it only heals a connection that the server closed while it was idle.
    """
    timeout_s = (timeout_ms or settings.timeout_ms) / 1000
    trust = {"ssl_ca_certs": str(settings.ca)} if settings.ca else {}
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=settings.pool_max,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=0,
        **trust,
    )
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()


async def published(client: Redis, channel: str, *, poll_s: float) -> AsyncGenerator[bytes | None, None]:
    """Yield what is published on a channel until the connection breaks; leave it by `aclosing`.

    None comes first, and again after each reconnection of the client's own: what was published before may have been
    missed, what comes after is heard.

    Args:
        client: of open_redis.
        channel: its name.
        poll_s: after so long without a message the connection is asked whether it still lives.

    Raises:
        RedisError, OSError, TimeoutError: the connection broke.
    """
    async with client.pubsub(ignore_subscribe_messages=False) as subscription:
        await subscription.subscribe(channel)
        while True:
            message = await subscription.get_message(timeout=poll_s)
            if message is None:
                await subscription.ping()
            elif message["type"] == "subscribe":
                yield None
            elif message["type"] == "message":
                yield message["data"]
