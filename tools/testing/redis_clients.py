"""Clients for tests: of one server by its URL, or of the whole cluster that a run is to use instead."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import redis.asyncio
from pydantic import SecretStr

from servicekit.redis import open_redis
from servicekit.settings import RedisSettings

CLUSTER_VARIABLE: Final = "RAZVILKA_TEST_CLUSTER"
"""Set: tests that take the fixtures `redis_client` and `redis_url` get a Redis Cluster."""
CLUSTER_SCHEME: Final = "redis+cluster://"
PATIENT_MS: Final = 10_000
# To be let in, on a machine that is busy with other tests.
CONNECT_S: Final = 60.0


def client_of(url: str) -> AbstractAsyncContextManager[redis.asyncio.Redis]:
    """Return a client, to be entered, of what the fixture `redis_url` names."""
    if not url.startswith(CLUSTER_SCHEME):
        return redis.asyncio.from_url(url, socket_connect_timeout=CONNECT_S)
    return open_redis(redis_settings(url))


def redis_settings(url: str, **more: Any) -> RedisSettings:
    """Return a service's settings of what the fixture `redis_url` names; patient ones, unless `more` says otherwise.

    On a machine that is busy with other tests an answer may be late: what a test sees must not depend on that.
    """
    more = {"timeout_ms": PATIENT_MS} | more
    if not url.startswith(CLUSTER_SCHEME):
        return RedisSettings(url=SecretStr(url), **more)
    return RedisSettings(url=SecretStr("redis://cluster/0"), cluster=url.removeprefix(CLUSTER_SCHEME), **more)
