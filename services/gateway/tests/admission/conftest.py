"""Fixtures of admission's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from services.gateway.admission.redis import cluster_runner
from services.gateway.tests.admission.cluster_kit import Room, opened
from services.gateway.tests.admission.held_redis import HeldRedis
from tools.servers.redis_cluster import RedisCluster
from tools.testing.patience import PATIENT_S
from tools.testing.throwaway import throwaway_redis


@pytest.fixture(autouse=True)
def patient_first_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have who asks first wait until a busy cluster has said who has which slots."""
    monkeypatch.setattr(cluster_runner, "FIRST_TABLE_S", PATIENT_S)


@pytest.fixture
async def held_redis(tmp_path) -> AsyncIterator[HeldRedis]:
    """A Redis that no other test uses."""
    with throwaway_redis(tmp_path) as url:
        async with redis.asyncio.from_url(url) as client:
            pid = int((await client.info("server"))["process_id"])
        held = HeldRedis(url, pid)
        yield held
        held.thaw()


@pytest.fixture
async def room(redis_cluster: RedisCluster) -> AsyncIterator[Room]:
    """Return an admission on an empty cluster."""
    async with opened(redis_cluster) as made:
        yield made
