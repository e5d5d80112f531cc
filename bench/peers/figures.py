"""What one gateway costs and how long it takes: windows of load, CPU of all its processes, medians over rounds."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from bench import processes
from bench.cases import CONNECTIONS
from bench.load import Result, Target, closed_loop, open_loop
from bench.peers.running import Gateway

RATE: Final = 200
WARM_S: Final = 2.0
# One that cannot keep up leaves work behind; it is given this long to finish before the next one is measured.
QUIET_AT_MOST_S: Final = 15.0
QUIET_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU in milliseconds an answer, latency in milliseconds, memory in MiB."""

    plain_rate: float
    plain_cpu: float
    plain_stores: float
    stream_rate: float
    stream_cpu: float
    stream_stores: float
    p50: float
    p99: float
    first_byte: float
    peak_mib: float
    errors: float


def median(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return Figures(**{f.name: statistics.median(getattr(one, f.name) for one in rounds) for f in fields(Figures)})


async def measure(gateway: Gateway, seconds: float) -> Figures:
    """Measure a gateway once: plain and streamed at 64 connections, then plain at 200 requests a second."""
    await closed_loop(gateway.plain, connections=8, seconds=WARM_S)
    plain, plain_cpu, plain_stores = await _window(gateway, gateway.plain, seconds)
    stream, stream_cpu, stream_stores = await _window(gateway, gateway.stream, seconds)
    paced = await open_loop(gateway.plain, rate=RATE, seconds=seconds, drain_s=3.0)
    await _quiet(gateway)
    return Figures(
        plain_rate=plain.done / plain.seconds,
        plain_cpu=plain_cpu,
        plain_stores=plain_stores,
        stream_rate=stream.done / stream.seconds,
        stream_cpu=stream_cpu,
        stream_stores=stream_stores,
        p50=paced.percentile(0.5),
        p99=paced.percentile(0.99),
        first_byte=stream.percentile(0.5, first_byte=True),
        peak_mib=sum(processes.sample(gateway.pids).peak_mib.values()),
        errors=plain.errors + stream.errors + paced.errors + paced.unfinished,
    )


async def _window(gateway: Gateway, target: Target, seconds: float) -> tuple[Result, float, float]:
    before, stores_before = _cpu_s(gateway.pids), _cpu_s(gateway.stores)
    result = await closed_loop(target, connections=CONNECTIONS, seconds=seconds)
    # What is written behind an answer is part of its cost.
    await asyncio.sleep(0.5)
    done = max(1, result.done)
    ours = _cpu_s(gateway.pids) - before
    return result, 1000 * ours / done, 1000 * (_cpu_s(gateway.stores) - stores_before) / done


def _cpu_s(pids: Mapping[str, int]) -> float:
    return sum(processes.sample(pids).cpu_s.values())


async def _quiet(gateway: Gateway) -> None:
    for _ in range(int(QUIET_AT_MOST_S / 0.5)):
        before = _cpu_s(gateway.pids)
        await asyncio.sleep(0.5)
        if _cpu_s(gateway.pids) - before < QUIET_SHARE * 0.5:
            return
