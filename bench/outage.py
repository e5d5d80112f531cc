"""`make outage`: kill one provider under load, bring it back, and print what callers and circuits did meanwhile.

Two upstreams: `frail` is killed and comes back, its model falls back to that of `bench`. Callers of either come at a
fixed rate whether or not earlier ones were answered; latency counts from when a request was due.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from bench.cases import Case
from bench.load import Result, Target, open_loop
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.throwaway import Suite, running_suite

FRAIL: Final = """\
  - name: frail
    base_url: http://127.0.0.1:{port}/v1
    api_key_env: BENCH_UPSTREAM_KEY
    models:
      - id: frail-model
        window: 32768
        fallbacks: [bench-model]
        price: {{input: "0.20", output: "0.20"}}
"""
CLOSED: Final = 0.0
OPEN: Final = 2.0
LOOK_S: Final = 0.02
# What issue H asks for.
ERROR_SHARE: Final = 0.005
CALLS_TO_OPEN: Final = 20
SECONDS_TO_CLOSE: Final = 45.0
# What it is, what was measured, what is allowed, and whether that was kept.
Row = tuple[str, object, object, bool]


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a second."""

    frail: float
    healthy: float


@dataclass(slots=True)
class Seen:
    """What the router's metrics said."""

    calls_before_open: int = 0
    opened_after_s: float = float("nan")
    closed_after_s: float = float("nan")


class Frail:
    """The upstream that dies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve."""
        command = [sys.executable, "-m", "bench.upstream", str(self._port)]
        self._process = subprocess.Popen(command)  # noqa: S603

    def kill(self) -> None:
        """Refuse every connection from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class RouterMetrics:
    """The router's own figures of the frail model."""

    def __init__(self, suite: Suite, client: httpx.AsyncClient) -> None:
        self._url = f"http://{LOOPBACK}:{suite.stack.ports['ROUTER_METRICS_PORT']}/metrics"
        self._client = client

    async def state(self) -> float:
        """Return the state of its circuit: 0 closed, 1 half-open, 2 open."""
        return await self._sum("razvilka_router_circuit_state")

    async def failed_calls(self) -> int:
        """Return how many calls of it have failed so far."""
        return int(await self._sum("razvilka_router_attempts_total", outcome="PROVIDER_UNAVAILABLE"))

    async def _sum(self, name: str, **labels: str) -> float:
        page = (await self._client.get(self._url)).text
        wanted = {"model": "frail-model", **labels}
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and wanted.items() <= sample.labels.items()
        )


def main() -> None:
    """Run and print; the exit code says whether what issue H asks for was kept."""
    parser = argparse.ArgumentParser(prog="make outage", description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second of the model that dies")
    parser.add_argument("--healthy-rate", type=float, default=20.0, help="requests a second of the one that stays")
    parser.add_argument("--down", type=float, default=50.0, help="seconds of the outage")
    arguments = parser.parse_args()
    port = free_port()
    frail = Frail(port)
    frail.start()
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "outage"
    try:
        with running_suite(home, more_upstreams=FRAIL.format(port=port)) as suite:
            rates = Rates(arguments.rate, arguments.healthy_rate)
            sys.exit(uvloop.run(_run(suite, frail, rates, arguments.down)))
    finally:
        frail.kill()


async def _run(suite: Suite, frail: Frail, rates: Rates, down_s: float) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        metrics, seen = RouterMetrics(suite, client), Seen()
        before = await _both(suite, rates, down_s / 2)
        async with _load(suite, rates, down_s + SECONDS_TO_CLOSE + 15) as during:
            frail.kill()
            began = time.perf_counter()
            await _until_open(metrics, seen, began)
            await asyncio.sleep(max(0.0, down_s - (time.perf_counter() - began)))
            frail.start()
            await _until_closed(metrics, seen)
    return _tell(before, during, seen)


async def _until(metrics: RouterMetrics, wanted: float) -> None:
    while True:
        if await metrics.state() == wanted:
            return
        await asyncio.sleep(LOOK_S)


async def _until_open(metrics: RouterMetrics, seen: Seen, began: float) -> None:
    await _until(metrics, OPEN)
    seen.opened_after_s = time.perf_counter() - began
    seen.calls_before_open = await metrics.failed_calls()


async def _until_closed(metrics: RouterMetrics, seen: Seen) -> None:
    began = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * SECONDS_TO_CLOSE):
            await _until(metrics, CLOSED)
            seen.closed_after_s = time.perf_counter() - began


@contextlib.asynccontextmanager
async def _load(suite: Suite, rates: Rates, seconds: float) -> AsyncIterator[list[Result]]:
    """Have callers come while the block runs, for `seconds`; then the list has what they saw: frail, healthy."""
    running = asyncio.create_task(_both(suite, rates, seconds))
    results: list[Result] = []
    yield results
    results.extend(await running)


async def _both(suite: Suite, rates: Rates, seconds: float) -> list[Result]:
    loads = ((_target(suite, "frail-model"), rates.frail), (_target(suite, "bench-model"), rates.healthy))
    return list(await asyncio.gather(*(open_loop(target, rate=rate, seconds=seconds) for target, rate in loads)))


def _target(suite: Suite, model: str) -> Target:
    return Target(f"{suite.stack.url}/v1/chat/completions", suite.demo.api_key, Case("", model, False).body())


def _tell(before: list[Result], during: list[Result], seen: Seen) -> int:
    failed = sum(each.errors + each.unfinished for each in during)
    share = failed / max(1, failed + sum(each.done for each in during))
    rows = (
        ("errors that callers saw", f"{100 * share:.3f} %", f"{100 * ERROR_SHARE} %", share <= ERROR_SHARE),
        ("failed calls until open", seen.calls_before_open, CALLS_TO_OPEN, seen.calls_before_open <= CALLS_TO_OPEN),
        ("open after, s", f"{seen.opened_after_s:.2f}", "–", True),
        (
            "closed after recovery, s",
            f"{seen.closed_after_s:.1f}",
            SECONDS_TO_CLOSE,
            seen.closed_after_s <= SECONDS_TO_CLOSE,
        ),
    )
    print("\n".join(_lines(rows, before, during)), flush=True)
    return 0 if all(kept for *_, kept in rows) else 1


def _lines(rows: Sequence[Row], before: list[Result], during: list[Result]) -> Iterator[str]:
    yield "| what | measured | at most | kept |\n|---|---|---|---|"
    for name, value, most, kept in rows:
        yield f"| {name} | {value} | {most} | {'yes' if kept else 'NO'} |"
    yield "\n| model | answers | p50 ms before | during | p99 ms before | during |\n|---|---|---|---|---|---|"
    for name, one, other in zip(("that dies", "that stays"), before, during, strict=True):
        figures = [each.percentile(at) for at in (0.5, 0.99) for each in (one, other)]
        yield f"| {name} | {other.done} | " + " | ".join(f"{each:.1f}" for each in figures) + " |"


if __name__ == "__main__":
    main()
