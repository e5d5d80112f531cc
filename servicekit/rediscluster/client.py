"""redis-py's client of a Redis Cluster, with cluster errors turned into those of a single server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from redis.asyncio import Redis, SSLConnection
from redis.asyncio.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.asyncio.connection import parse_url
from redis.exceptions import ClusterDownError, MaxConnectionsError, RedisClusterException
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from servicekit.once.repeating import CarefulRetry, is_repeatable, may_repeat
from servicekit.rediscluster.redirections import TRY_AGAIN_S, ask_redirected
from servicekit.rediscluster.script import ClusterScript
from servicekit.settings import RedisSettings

# Of the parts of a URL those that every server of the cluster has in common.
SHARED = ("username", "password")
# Connections that wait for nobody: those that listen, and the one that asks who has which slots.
OTHERS: Final = 4
# Timeouts of one server that a command is given: it is asked, and after a failover asked once more.
TRIES: Final = 2
# redis-py's pipelines wait so long before they try again.
PIPELINE_RESTS_S: Final = 0.25
UNREACHABLE: Final = (RedisConnectionError, RedisTimeoutError, OSError)
_HAS_ROOM: Final[ContextVar[bool]] = ContextVar("has_room", default=False)


@contextmanager
def _as_of_one_server() -> Iterator[None]:
    """Raise `ConnectionError` in place of errors that only the cluster client raises and that are no `RedisError`."""
    try:
        yield
    except RedisClusterException as exc:
        raise RedisConnectionError(str(exc)) from exc


class _Pipeline(ClusterPipeline):
    """A pipeline, split by server; it is repeated only if each of its commands may be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._are_repeatable = True

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Add a command."""
        self._are_repeatable &= is_repeatable(args)
        return super().execute_command(*args, **kwargs)

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        """Send them and return their answers in the order of the commands.

        Raises:
            RedisError: a command was refused, or a server does not answer.
        """
        with may_repeat(self._are_repeatable):
            async with cast(ClusterClient, self.cluster_client).room(more_s=PIPELINE_RESTS_S):
                return await super().execute(raise_on_error, allow_redirections)


class ClusterClient(RedisCluster):
    """All servers of a cluster as one; a server that cannot be reached is a `ConnectionError`, as with a single server.

    Args:
        most: the most connections for commands to each server.
        wait_s: seconds that a command waits for a free connection, where redis-py would refuse at once.
        given: the arguments of redis-py's client.
    """

    def __init__(self, *, most: int, wait_s: float, **given: Any) -> None:
        # One that has moved is learnt of by itself: asking anew after some of them would end what is under way.
        super().__init__(max_connections=most + OTHERS, reinitialize_steps=0, **given)
        self._free = asyncio.Semaphore(most)
        self._wait_s = wait_s
        self._asking = asyncio.Lock()

    @asynccontextmanager
    async def room(self, more_s: float = 0.0) -> AsyncIterator[None]:
        """Hold one of the connections; a command that a pipeline repeats elsewhere has the pipeline's.

        However many servers do not answer, it takes no longer than two of one server's timeouts, and `more_s`.

        Raises:
            ConnectionError: all are taken, no server has what is asked for, or it takes too long.
        """
        with _as_of_one_server():
            if _HAS_ROOM.get():
                yield
                return
            await self._take()
            has_room = _HAS_ROOM.set(True)
            try:
                async with asyncio.timeout(TRIES * self._wait_s + more_s):
                    yield
            except TimeoutError as exc:
                self._initialize = True
                raise RedisTimeoutError("the cluster does not answer") from exc
            finally:
                _HAS_ROOM.reset(has_room)
                self._free.release()

    async def _take(self) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise RedisConnectionError("no connection is free") from None

    async def initialize(self, *_: Any, last_failed_node_name: str | None = None, **__: Any) -> RedisCluster:
        """Ask some server of the cluster which of them has which slots, where that is not known.

        Raises:
            ConnectionError: none of those that are known answers.
        """
        with _as_of_one_server():
            async with self._asking:
                if self._initialize:
                    await self.nodes_manager.initialize(last_failed_node_name=last_failed_node_name)
                    await self._learn_commands()
                    self._initialize = False
        return self

    async def _learn_commands(self) -> None:
        """Ask any server where commands have their keys, once: the one that redis-py asks each time may be away."""
        nodes = [] if self.commands_parser.commands else self.get_primaries()
        for node in random.sample(nodes, len(nodes)):
            try:
                await self.commands_parser.initialize(node)
            except UNREACHABLE:
                continue
            return

    async def aclose(self) -> None:
        """Ask anew before the next command, which is what redis-py calls this for; it is `shut` that ends it."""
        self._initialize = True

    async def shut(self) -> None:
        """Close all connections."""
        self._initialize = True
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Send one command to the server that has its keys.

        Raises:
            RedisError: it was refused, or the server does not answer.
        """
        with may_repeat(is_repeatable(args)):
            async with self.room():
                return await super().execute_command(*args, **kwargs)

    async def _execute_command(self, target_node: ClusterNode, *args: Any, **kwargs: Any) -> Any:
        try:
            return await ask_redirected(self.nodes_manager, target_node, *args, **kwargs)
        except UNREACHABLE as exc:
            await self._lost(target_node, exc)
            raise
        except ClusterDownError:
            self._initialize = True
            await asyncio.sleep(TRY_AGAIN_S)
            raise

    async def _lost(self, node: ClusterNode, exc: Exception) -> None:
        """Believe nothing that is known of a server, as redis-py would; those that ask others go on."""
        if isinstance(exc, MaxConnectionsError):
            return
        node.update_active_connections_for_reconnect()
        await node.disconnect_free_connections()
        self.nodes_manager.move_node_to_end_of_cached_nodes(node.name)
        exc.last_failed_node_name = node.name  # type: ignore[attr-defined]
        self._initialize = True

    async def look_again(self) -> None:
        """Ask anew who has which slots, whatever was believed.

        Raises:
            ConnectionError: none of the servers that are known answers.
        """
        await self.initialize()
        with _as_of_one_server():
            await self.nodes_manager.initialize()

    def pipeline(self, transaction: Any | None = None, *_: Any, **__: Any) -> ClusterPipeline:
        """Return what gathers commands.

        Raises:
            ValueError: a transaction, for which redis-py runs a loop in a thread of its own for each command, and
                connections that belong to that loop.
        """
        if transaction:
            raise ValueError("a cluster's client has no transactions: use a script")
        return _Pipeline(self)  # type: ignore[abstract]

    def register_script(self, script: str | bytes | memoryview) -> Any:
        """Return what runs a script, whichever servers know it."""
        return ClusterScript(self, script)


@asynccontextmanager
async def open_cluster(settings: RedisSettings, timeout_s: float) -> AsyncIterator[ClusterClient]:
    """Yield a client that waits at most `timeout_s` for one answer, and retries once after a failover.

    It connects on first use, so services start while Redis is down.
    """
    given: dict[str, Any] = {**parse_url(settings.url.get_secret_value())}
    trust: dict[str, Any] = {"ssl_ca_certs": str(settings.ca)} if settings.ca else {}
    client = ClusterClient(
        startup_nodes=[ClusterNode(host, port) for host, port in settings.cluster_addresses()],
        ssl=given.get("connection_class") is SSLConnection,
        # Half a cluster serves its half.
        require_full_coverage=False,
        retry=CarefulRetry(),
        most=settings.pool_max,
        wait_s=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        **{name: given[name] for name in SHARED if name in given},
        **trust,
    )
    try:
        yield client
    finally:
        await client.shut()


async def run_id(client: Redis, key: str) -> str:
    """Return what names this run of the server that has the key; another one may lack what the first one had.

    Raises:
        RedisError, OSError: it does not answer.
    """
    where: dict[str, Any] = {}
    if isinstance(client, ClusterClient):
        await client.initialize()
        with _as_of_one_server():
            where = {"target_nodes": client.get_node_from_key(key)}
    server = await client.info("server", **where)
    return str(server["run_id"])
