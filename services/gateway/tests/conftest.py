"""A gateway over real HTTP, with real Redis and small real gRPC services behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicekit.settings import RedisSettings
from services.gateway.server import Gateway, open_gateway
from services.gateway.settings import GatewaySettings
from services.gateway.tests.backends import KEY, Backends, running_backends


@dataclass(frozen=True, slots=True)
class Edge:
    """A running gateway and a client that holds the test's key."""

    gateway: Gateway
    client: httpx.AsyncClient
    settings: GatewaySettings


StartGateway = Callable[..., Awaitable[Edge]]


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    """Return the services behind the gateway."""
    async with running_backends() as running:
        yield running


@pytest.fixture
async def start_gateway(backends: Backends, redis_url: str, tmp_path: Path) -> AsyncIterator[StartGateway]:
    """Return a starter of gateways; keyword arguments are settings."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Edge:
            given: dict[str, Any] = {
                "port": 0,
                "redis": RedisSettings(url=redis_url),  # type: ignore[arg-type]
                "journal_dir": tmp_path / "journal",
                "grace_s": 0.5,
                **backends.targets,
            }
            settings = GatewaySettings(**{**given, **changes})
            gateway = await stack.enter_async_context(open_gateway(settings))
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{gateway.port}",
                    headers={"Authorization": f"Bearer {KEY}"},
                    timeout=20,
                )
            )
            await until_ready(gateway)
            return Edge(gateway, client, settings)

        yield start


@pytest.fixture
async def edge(start_gateway: StartGateway) -> Edge:
    """Return a running gateway with the usual settings."""
    return await start_gateway()


async def until_ready(gateway: Gateway) -> None:
    """Wait until the gateway has its catalogue and reaches its services."""
    async with asyncio.timeout(10):
        while not gateway.readiness.is_ready:
            await gateway.readiness.look()
            await asyncio.sleep(0.01)
