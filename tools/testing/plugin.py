"""pytest fixtures with real servers. A test process starts what its tests ask for, once, and stops it at its end."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis.asyncio

from servicekit.testing.fake_clock import FakeClock
from tools.servers import ports
from tools.servers.column_engine import running_engine
from tools.servers.redis_cluster import RedisCluster, running_cluster
from tools.testing import throwaway
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres, found_redis
from tools.testing.redis_clients import CLUSTER_SCHEME, CLUSTER_VARIABLE, client_of

MakeDatabase = Callable[[str], Awaitable["asyncpg.Pool[asyncpg.Record]"]]
# A test looks at what is stored, whoever's it is: row security shows a session nothing before it says whose.
EVERYBODY: Final = {"razvilka.user": "*"}
MakeDatabaseDsn = Callable[[str], Awaitable[str]]
# Objects that are made before the youngest are looked through: a test makes thousands, and few of them are in circles.
YOUNG: Final = 50_000


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the collector of garbage pass over the ten thousand tests, which stay to the end.

    Millions of objects were looked through again and again: a fifth of the processor's time of a whole run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(YOUNG)
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start first, in a parallel run, what may take longest: begun last it would keep one process busy, three idle."""
    if hasattr(config, "workerinput"):
        items[:] = long_first(items)


def long_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return tests that ask for a time-out of their own before others, groups aside; else in the order they had."""
    return sorted(items, key=lambda item: _belongs(item, "xdist_group") or not _belongs(item, "timeout"))


def _belongs(item: pytest.Item, mark: str) -> bool:
    return item.get_closest_marker(mark) is not None


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Return a folder for servers that this test process starts, in memory where there is room."""
    with throwaway.session_folder(throwaway.quick_place()) as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_admin_dsn(servers_folder: Path) -> Iterator[str]:
    """Return a superuser's DSN of the PostgreSQL the tests use."""
    with found_postgres(servers_folder) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def databases(postgres_admin_dsn: str) -> Iterator[Databases]:
    """Return the maker of throwaway databases."""
    made = Databases(postgres_admin_dsn)
    yield made
    made.drop_all()


@pytest.fixture
async def make_database_dsn(databases: Databases) -> AsyncIterator[MakeDatabaseDsn]:
    """Return an async factory: service name -> DSN, as the service's role, of a fresh migrated database."""
    made: list[str] = []

    async def make(service: str) -> str:
        made.append(await asyncio.to_thread(databases.create, service))
        return made[-1]

    yield make
    for dsn in made:
        await asyncio.to_thread(databases.drop, dsn)


@pytest.fixture
async def make_database(make_database_dsn: MakeDatabaseDsn) -> AsyncIterator[MakeDatabase]:
    """Return an async factory: service name -> pool, as the service's role, on a fresh migrated database."""
    pools: list[asyncpg.Pool[asyncpg.Record]] = []

    async def make(service: str) -> "asyncpg.Pool[asyncpg.Record]":
        dsn = await make_database_dsn(service)
        pools.append(await asyncpg.create_pool(dsn, min_size=1, max_size=5, server_settings=EVERYBODY))
        return pools[-1]

    yield make
    for pool in pools:
        pool.terminate()


@pytest.fixture(scope="session")
def redis_server_url(servers_folder: Path, worker_number: int) -> Iterator[str]:
    """Return the URL of this test process's own database on the Redis the tests use."""
    with found_redis(servers_folder) as url:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{worker_number}"))


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """Return 0, 1, 2 ... for the processes of a parallel run, 0 for the only one."""
    workerinput = getattr(request.config, "workerinput", {"workerid": "gw0"})
    return int(str(workerinput["workerid"]).removeprefix("gw"))


@pytest.fixture(scope="session")
def column_engine_url(servers_folder: Path) -> Iterator[str]:
    """Return the address of ClickHouse's engine behind its HTTP interface."""
    with running_engine(servers_folder / "column_engine") as url:
        yield url


@pytest.fixture
async def redis_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty Redis database, or of an empty cluster where the run is to use one."""
    if CLUSTER_VARIABLE in os.environ:
        await asyncio.to_thread(request.getfixturevalue("redis_cluster_servers").flush)
        return CLUSTER_SCHEME + str(request.getfixturevalue("redis_cluster_servers").addresses)
    redis_server_url = str(request.getfixturevalue("redis_server_url"))
    async with redis.asyncio.from_url(redis_server_url) as client:
        await client.flushdb()
    return redis_server_url


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator["redis.asyncio.Redis"]:
    """Return a client of an empty Redis database; it answers bytes."""
    async with client_of(redis_url) as client:
        yield client


@pytest.fixture(scope="session")
def redis_cluster_servers(servers_folder: Path) -> Iterator[RedisCluster]:
    """Return three primaries and a replica that this test process starts; a test may kill one that has a replica."""
    with running_cluster(servers_folder) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(redis_cluster_servers: RedisCluster) -> RedisCluster:
    """Return an empty Redis Cluster."""
    redis_cluster_servers.flush()
    return redis_cluster_servers


@pytest.fixture
def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    return ports.free_port()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still at noon, 2026-11-23 UTC, until the test moves it."""
    return FakeClock()
