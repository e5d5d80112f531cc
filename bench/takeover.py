"""One of two routers is killed under load and comes back: what fails, for how long, and when both carry half again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.load import Connection, Target, connect
from servicekit.probe import is_ready
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.throwaway import Suite

NAME: Final = "takeover"
RATE: Final = 100.0
BEFORE_S: Final = 10.0
AFTER_S: Final = 10.0
# Answers are counted for so long at a time when it is looked who carries how much.
WINDOW_S: Final = 5.0
HALF: Final = (0.4, 0.6)
BALANCE_S: Final = 90.0
START_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: when it was sent, began to be answered and ended, and whether with a whole answer.

    Times are of `time.perf_counter`; `began_at` is 0 when nothing came.
    """

    sent_at: float
    began_at: float
    ended_at: float
    is_whole: bool


@dataclass(slots=True)
class Load:
    """Requests at a steady rate, answered or not, until it is told to stop."""

    target: Target
    rate: float = RATE
    outcomes: list[Outcome] = field(default_factory=list)
    _idle: list[Connection] = field(default_factory=list)

    async def run(self) -> None:
        """Send for ever; cancel it to stop."""
        data, number, began = self.target.encoded(), 0, time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
                tasks.create_task(self._one(data))
                number += 1

    async def _one(self, data: bytes) -> None:
        sent_at = time.perf_counter()
        connection = self._idle.pop() if self._idle else await connect(self.target)
        is_whole = await connection.request(data)
        self.outcomes.append(Outcome(sent_at, connection.first_byte_at, time.perf_counter(), is_whole))
        if is_whole and connection.is_open:
            self._idle.append(connection)
        else:
            connection.close()


class SecondRouter:
    """A router beside the suite's own, which no supervisor starts again."""

    def __init__(self, suite: Suite, port: int, log: Path) -> None:
        self._environment = suite.stack.environments.of("router") | {"ROUTER_GRPC_PORT": str(port)}
        self._target = f"router@{LOOPBACK}:{port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.metrics_port = free_port()

    async def start(self) -> None:
        """Return when it is ready."""
        environment = self._environment | {"ROUTER_METRICS_PORT": str(self.metrics_port)}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - a start that nothing waits for meanwhile
                [sys.executable, "-m", "services.router", "serve"], env=environment, stdout=output, stderr=output
            )
        async with asyncio.timeout(START_S):
            while not await is_ready(self._target, environment):  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def second_router(suite: Suite, port: int, log: Path) -> Iterator[SecondRouter]:
    """Yield the router, not started; nothing of it runs afterwards."""
    router = SecondRouter(suite, port, log)
    try:
        yield router
    finally:
        router.kill()


async def table(suite: Suite, second: SecondRouter, target: Target, rate: float) -> list[str]:
    """Kill the second of two routers under load, start it again, and tell what callers saw of it."""
    ports = (int(suite.stack.ports["ROUTER_METRICS_PORT"]), second.metrics_port)
    await second.start()
    load = Load(target, rate)
    running = asyncio.create_task(load.run())
    try:
        await _balanced_after(ports)
        await asyncio.sleep(BEFORE_S)
        killed_at = time.perf_counter()
        second.kill()
        await asyncio.sleep(AFTER_S)
        ended = len(load.outcomes)
        lines = told(load.outcomes[:ended], killed_at)
        await second.start()
        took_s = await _balanced_after(ports)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    whole = f"both carry {HALF[0]:.0%} or more {took_s:.0f} s after the second is ready again"
    return [f"**One of two routers killed under {rate:.0f} requests/s**", "", *lines, f"- {whole}"]


def told(outcomes: list[Outcome], killed_at: float) -> list[str]:
    """Return what became of requests that were in flight when the router died, and of those sent after it."""
    flying = [one for one in outcomes if one.sent_at <= killed_at < one.ended_at]
    after = [one for one in outcomes if one.sent_at > killed_at]
    lost = [one for one in flying if not one.is_whole]
    refused = [one for one in after if not one.is_whole]
    whole = [one for one in after if one.is_whole]
    first_ms = (min(one.began_at for one in whole) - killed_at) * 1000
    last_ms = (max((one.sent_at for one in refused), default=killed_at) - killed_at) * 1000
    slowest_ms = max(one.ended_at - one.sent_at for one in whole) * 1000
    before = sum(not one.is_whole for one in outcomes if one.ended_at <= killed_at)
    return [
        f"- in flight at the kill: {len(flying)}, failed of them {len(lost)}; failed before it {before}",
        f"- sent after it: {len(after)}, failed of them {len(refused)}, the last one sent {last_ms:.0f} ms after it; "
        f"the slowest took {slowest_ms:.0f} ms",
        f"- the first answer to a request sent after it began {first_ms:.0f} ms after the kill",
    ]


async def _balanced_after(ports: tuple[int, int]) -> float:
    """Return after how many seconds each of both had its half of the answers of a window; inf: not in time."""
    began = time.monotonic()
    before = [answers(port) for port in ports]
    while time.monotonic() - began < BALANCE_S:
        await asyncio.sleep(WINDOW_S)
        now = [answers(port) for port in ports]
        counts = [after - then for after, then in zip(now, before, strict=True)]
        if HALF[0] <= counts[0] / max(1, sum(counts)) <= HALF[1]:
            return time.monotonic() - began
        before = now
    return float("inf")


def answers(metrics_port: int) -> float:
    """Return how many streams a router has ended."""
    page = httpx.get(f"http://{LOOPBACK}:{metrics_port}/metrics", trust_env=False).text
    samples = (each for family in text_string_to_metric_families(page) for each in family.samples)
    name, method = "razvilka_rpc_server_seconds_count", "Stream"
    return sum(each.value for each in samples if each.name == name and each.labels.get("method") == method)
