"""Which servers the tests use: a DSN from the environment, a container engine, or servers of their own."""

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import docker
from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer

from tools.testing import throwaway

POSTGRES_VARIABLE: Final = "RAZVILKA_TEST_POSTGRES_DSN"
REDIS_VARIABLE: Final = "RAZVILKA_TEST_REDIS_URL"
POSTGRES_IMAGE: Final = "postgres:18"
REDIS_IMAGE: Final = "redis:7"


@contextlib.contextmanager
def found_postgres(folder: Path, *settings: str) -> Iterator[str]:
    """Yield the DSN of a PostgreSQL superuser; what is started here is stopped at the end.

    Args:
        folder: where one of our own lives.
        settings: `name=value` of one that is started here, besides those of a throwaway.
    """
    given = os.environ.get(POSTGRES_VARIABLE)
    if given:
        yield given
        return
    with _container_or(
        lambda: _postgres_container(settings), lambda: throwaway.throwaway_postgres(folder, *settings)
    ) as dsn:
        yield dsn


@contextlib.contextmanager
def found_redis(folder: Path) -> Iterator[str]:
    """Yield the URL of a Redis whose databases the tests may empty; what is started here is stopped at the end."""
    given = os.environ.get(REDIS_VARIABLE)
    if given:
        yield given
        return
    with _container_or(_redis_container, lambda: throwaway.throwaway_redis(folder)) as url:
        yield url


@functools.cache
def engine_answers() -> bool:
    """Say whether a container engine is there and listening."""
    try:
        client = docker.from_env(timeout=2)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except (DockerException, OSError):
        return False


Server = contextlib.AbstractContextManager[str]


@contextlib.contextmanager
def _container_or(in_container: Callable[[], Server], own: Callable[[], Server]) -> Iterator[str]:
    """Start the container when an engine answers; one that cannot (no image, say) costs a warning, not the tests."""
    with contextlib.ExitStack() as opened:
        address = None
        if engine_answers():
            try:
                address = opened.enter_context(in_container())
            except Exception as exc:
                warnings.warn(f"the container engine answers but cannot start the server: {exc}", stacklevel=2)
        yield address if address is not None else opened.enter_context(own())


@contextlib.contextmanager
def _postgres_container(settings: Sequence[str]) -> Iterator[str]:
    container = PostgresContainer(POSTGRES_IMAGE, username="postgres", password="throwaway", dbname="postgres")
    unsafe = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    container.with_command("postgres" + "".join(f" -c {setting}" for setting in (*unsafe, *settings)))
    with container:
        yield container.get_connection_url(driver=None)


@contextlib.contextmanager
def _redis_container() -> Iterator[str]:
    with RedisContainer(REDIS_IMAGE) as container:
        yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(container.port)}/0"
