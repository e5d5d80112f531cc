"""Redis clients: redis-py with hiredis, opened from settings, with timeouts that bound every call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from servicekit.once.repeating import CarefulRetry, is_repeatable, may_repeat
from servicekit.rediscluster.client import ClusterClient, open_cluster
from servicekit.settings import RedisSettings

# What a client raises when Redis is away, slow, or will not do what it is asked.
LOST: Final = (RedisError, OSError, TimeoutError)
# Questions in a row whether a subscription's connection still lives that may find no answer: a moment's is none.
MOST_UNANSWERED: Final = 3


class _ToPrimary(Connection):
    """A connection that is closed when its server has become read-only: its address leads to another server by now.

    Sentinel connections do the same. After a failover that only changes a DNS name, the old server keeps its
    connections open.
    """

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next answer.

        Raises:
            RedisError: it is an error, or does not come.
        """
        try:
            return await super().read_response(*args, **kwargs)
        except ReadOnlyError:
            await self.disconnect()
            raise RedisConnectionError("the server is no primary any more")  # noqa: B904 - its context is looked at


class _ToPrimaryByTls(_ToPrimary, SSLConnection):
    """The same, over TLS."""


class _PrimaryPool(SentinelConnectionPool, BlockingConnectionPool):
    """A blocking pool of connections to the server that Sentinel names as the primary."""


class _Pipeline(Pipeline):
    """A pipeline; it is repeated only if each of its commands may be."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send them and return their answers in the order of the commands.

        Raises:
            RedisError: a command was refused, or Redis does not answer.
        """
        with may_repeat(all(is_repeatable(command) for command, _ in self.command_stack)):
            return await super().execute(raise_on_error=raise_on_error)


class _Client(Redis):
    """A client that repeats idempotent commands only: without an answer, a command may have been executed or not."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its answer.

        Raises:
            RedisError: it was refused, or Redis does not answer.
        """
        with may_repeat(is_repeatable(args)):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return a pipeline."""
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


_KINDS: Final[dict[type, type]] = {Connection: _ToPrimary, SSLConnection: _ToPrimaryByTls}


@asynccontextmanager
async def open_redis(settings: RedisSettings, *, timeout_ms: int | None = None) -> AsyncIterator[Redis]:
    """Yield a client that waits at most `timeout_ms` (by default that of the settings) for one answer.

    Idempotent commands are retried once without delay (`servicekit.once`), scripts if the caller allows it. With
    sentinels it connects to the primary that they name, and asks them again when a server is no longer the primary.
    For a cluster it is a `ClusterClient`: the same commands, but several keys of one command or script must be in one
    slot, and there are no transactions.
    """
    timeout_s = (timeout_ms or settings.timeout_ms) / 1000
    if settings.cluster:
        async with open_cluster(settings, timeout_s) as cluster:
            yield cast(Redis, cluster)
        return
    async with _open_pool(settings, timeout_s) as pool:
        client = _Client(connection_pool=pool)
        try:
            yield client
        finally:
            await client.aclose()
            await pool.disconnect()


@asynccontextmanager
async def _open_pool(settings: RedisSettings, timeout_s: float) -> AsyncIterator[BlockingConnectionPool]:
    trust = {"ssl_ca_certs": str(settings.ca)} if settings.ca else {}
    limits: dict[str, Any] = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, **trust}
    waiting: dict[str, Any] = {"max_connections": settings.pool_max, "timeout": timeout_s}
    rest = {**waiting, "retry": CarefulRetry(), "health_check_interval": 0}
    url = settings.url.get_secret_value()
    given: dict[str, Any] = {**parse_url(url)}
    kind = given.pop("connection_class", Connection)
    is_tls = kind is SSLConnection
    if not settings.sentinels:
        found = _KINDS.get(kind, kind)
        yield BlockingConnectionPool(connection_class=found, **given, **limits, **rest)
        return
    of_server = {name: value for name, value in given.items() if name not in ("host", "port", "path")}
    password = settings.sentinel_password.get_secret_value() or None
    asking = {**limits, "ssl": is_tls, "password": password}
    sentinel = Sentinel(settings.sentinel_addresses(), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    try:
        yield _PrimaryPool(settings.primary, sentinel, ssl=is_tls, **of_server, **limits, **rest)  # type: ignore[no-untyped-call]
    finally:
        for client in sentinel.sentinels:
            await client.aclose()


async def published(client: Redis, channel: str, *, poll_s: float) -> AsyncGenerator[bytes | None, None]:
    """Yield the messages published on a channel until the connection breaks; use it with `aclosing`.

    None is yielded first, and again after each reconnection of the client: earlier messages may have been missed, later
    ones will arrive.

    Args:
        client: of open_redis.
        channel: its name.
        poll_s: after this long without a message the connection is pinged; without the ping, a connection to a machine
            that has vanished would stay open for a quarter of an hour.

    Raises:
        RedisError, OSError, TimeoutError: the connection broke, or a ping was not answered.
    """
    where: dict[str, Any] = {}
    if isinstance(client, ClusterClient):
        # Every server of a cluster passes on what is published at any of them; which one has died may not be known yet.
        await client.look_again()
        where = {"node": client.get_random_node()}
    async with client.pubsub(ignore_subscribe_messages=False, **where) as subscription:
        await subscription.subscribe(channel)
        unanswered = 0
        while True:
            message = await subscription.get_message(timeout=poll_s)
            if message is None:
                if unanswered == MOST_UNANSWERED:
                    raise RedisTimeoutError("the server of a subscription does not answer")
                unanswered += 1
                await subscription.ping()
                continue
            unanswered = 0
            if message["type"] == "subscribe":
                yield None
            elif message["type"] == "message":
                yield message["data"]
