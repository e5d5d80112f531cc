"""A gateway over real HTTP, with real Redis and small real gRPC services behind it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from redis.asyncio import Redis

from servicekit.clock import Clock
from services.gateway.identity.revocations import CHANNEL
from services.gateway.server import Gateway, open_gateway
from services.gateway.settings import GatewaySettings, StreamSettings
from services.gateway.tests.backends import KEY, Backends, running_backends
from services.gateway.tests.route_analysis import analysed_once
from tools.testing.patience import PATIENT_S
from tools.testing.redis_clients import PATIENT_MS, redis_settings


@dataclass(frozen=True, slots=True)
class Edge:
    """A running gateway and a client that holds the test's key."""

    gateway: Gateway
    client: httpx.AsyncClient
    settings: GatewaySettings


# Read once: a context of its own for every client takes as long as a gateway's start.
AUTHORITIES: Final = ssl.create_default_context()
# What a gateway waits for other services where that is no setting.
DEADLINES: Final = (
    "budgets.shared_spend.DEADLINE_S",
    "notifications.client.DEADLINE_S",
    "personal_data.client.DEADLINE_S",
    "router.administration.DEADLINE_S",
    "router.batch_work.DEADLINE_S",
    "router.batches.DEADLINE_S",
    "router.catalog_administration.DEADLINE_S",
    "router.client.LIST_DEADLINE_S",
    "usage.READ_DEADLINE_S",
    "usage_forecasts.client.DEADLINE_S",
    "usage_statistics.client.DEADLINE_S",
)

StartGateway = Callable[..., Awaitable[Edge]]


@pytest.fixture(autouse=True)
def patient_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have gateways wait for services that answer late."""
    for name in DEADLINES:
        monkeypatch.setattr(f"services.gateway.clients.{name}", PATIENT_S)


@pytest.fixture(scope="session", autouse=True)
def routes_analysed_once() -> Iterator[None]:
    """Have all gateways of this process share what FastAPI finds out about their routes."""
    with analysed_once():
        yield


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    """Return the services behind the gateway."""
    async with running_backends() as running:
        yield running


@asynccontextmanager
async def running_edge(
    targets: dict[str, str], redis_url: str, journal: Path, *, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[Edge]:
    """Yield a gateway that is ready, and a client for it; keyword arguments but `clock` are settings."""
    given: dict[str, Any] = {
        "port": 0,
        "redis": redis_settings(redis_url),
        "journal_dir": journal,
        "grace_s": 0.5,
        "auth_timeout_s": PATIENT_S,
        "kept_timeout_ms": PATIENT_MS,
        "stream": StreamSettings(headers_s=PATIENT_S),
        "environment": "development",
        **targets,
    }
    settings = GatewaySettings(**{**given, **changes})
    headers = {"Authorization": f"Bearer {KEY}"}
    async with open_gateway(settings, clock) as gateway:
        await until_ready(gateway)
        url = f"http://127.0.0.1:{gateway.port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENT_S, verify=AUTHORITIES) as client:
            yield Edge(gateway, client, settings)


@pytest.fixture
async def start_gateway(backends: Backends, redis_url: str, tmp_path: Path) -> AsyncIterator[StartGateway]:
    """Return a starter of gateways; keyword arguments but `clock` are settings."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Edge:
            running = running_edge(backends.targets, redis_url, tmp_path / "journal", **changes)
            return await stack.enter_async_context(running)

        yield start


@pytest.fixture
async def edge(start_gateway: StartGateway) -> Edge:
    """Return a running gateway with the usual settings."""
    return await start_gateway()


def visitor(edge: Edge, **given: Any) -> httpx.AsyncClient:
    """Return a client that holds no key; it waits as long as the edge's own."""
    return httpx.AsyncClient(base_url=edge.client.base_url, timeout=PATIENT_S, verify=AUTHORITIES, **given)


async def until_ready(gateway: Gateway) -> None:
    """Wait until the gateway has its catalogue and reaches its services."""
    async with asyncio.timeout(PATIENT_S):
        while not gateway.readiness.is_ready:
            await gateway.readiness.look()
            await asyncio.sleep(0.01)


async def until_listening(redis_client: Redis, gateways: int = 1) -> None:
    """Wait until so many gateways hear revocations."""
    async with asyncio.timeout(PATIENT_S):
        while (await redis_client.pubsub_numsub(CHANNEL))[0][1] < gateways:
            await asyncio.sleep(0.01)
