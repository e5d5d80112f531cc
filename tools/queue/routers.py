"""Routers as processes of their own, on an emulator and a Redis."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from emulator.testing import RunningEmulator
from servicekit import rpc_client
from services.router.providers.registry import BUILT_IN
from tools.servers.ports import free_port

START_S = 120.0
STOP_S = 30.0


@asynccontextmanager
async def running_routers(count: int, emulator: RunningEmulator, redis_url: str) -> AsyncIterator[list[int]]:
    """Yield the ports of so many routers; they are stopped on leaving."""
    ports = [free_port() for _ in range(count)]
    shared = _emulated(emulator) | {
        "ROUTER_REDIS_URL": redis_url,
        "ROUTER_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none",
    }
    processes = [_start(port, shared) for port in ports]
    try:
        async with asyncio.timeout(START_S):
            for port in ports:
                await _until_serving(port)
        yield ports
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            await asyncio.to_thread(process.wait, STOP_S)


def _emulated(emulator: RunningEmulator) -> dict[str, str]:
    addresses = {
        "yandex": emulator.yandex_url,
        "gigachat": emulator.gigachat_url,
        "gigachat_auth": emulator.gigachat_auth_url.removesuffix("/api/v2/oauth"),
    }
    return {name: value for row in BUILT_IN for name, value in row.access.played(addresses).items()}


def _start(port: int, shared: Mapping[str, str]) -> subprocess.Popen[bytes]:
    listens = {"ROUTER_GRPC_PORT": str(port), "ROUTER_METRICS_PORT": str(free_port())}
    own = {**listens, "RAZVILKA_PROFILE": "local", "ROUTER_TELEMETRY_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "services.router", "serve"]
    return subprocess.Popen(command, env={**os.environ, **shared, **own})


async def _until_serving(port: int) -> None:
    async with rpc_client.open_channel(f"127.0.0.1:{port}") as channel:
        while True:
            if await rpc_client.is_serving(channel):
                return
            await asyncio.sleep(0.1)
