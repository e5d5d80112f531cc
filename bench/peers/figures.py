"""What one gateway costs and how long it takes: windows of load, CPU of all its processes, medians over rounds."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, TypeVar

from bench import processes
from bench.cases import CONNECTIONS
from bench.load import Connection, Result, Target, closed_loop, open_loop
from bench.peers.running import Gateway

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Each = TypeVar("Each", bound="DataclassInstance")

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


@dataclass(frozen=True, slots=True)
class Window:
    """What a window of load saw, and the CPU-ms an answer of each program."""

    result: Result
    services: dict[str, float]
    stores: dict[str, float]


def median(rounds: Sequence[Each]) -> Each:
    """Return the median of each figure."""
    names = _names(rounds[0])
    return replace(rounds[0], **{name: statistics.median(getattr(one, name) for one in rounds) for name in names})


def _names(figures: DataclassInstance) -> list[str]:
    return [field.name for field in fields(figures)]


async def measure(gateway: Gateway, seconds: float) -> Figures:
    """Measure a gateway once: plain and streamed at 64 connections, then plain at 200 requests a second."""
    await closed_loop(gateway.plain, connections=8, seconds=WARM_S)
    plain = await window(gateway, gateway.plain, seconds)
    stream = await window(gateway, gateway.stream, seconds)
    paced = await open_loop(gateway.plain, rate=RATE, seconds=seconds, drain_s=3.0)
    await _quiet(gateway)
    return Figures(
        plain_rate=plain.result.done / plain.result.seconds,
        plain_cpu=sum(plain.services.values()),
        plain_stores=sum(plain.stores.values()),
        stream_rate=stream.result.done / stream.result.seconds,
        stream_cpu=sum(stream.services.values()),
        stream_stores=sum(stream.stores.values()),
        p50=paced.percentile(0.5),
        p99=paced.percentile(0.99),
        first_byte=stream.result.percentile(0.5, first_byte=True),
        peak_mib=sum(processes.sample(gateway.pids).peak_mib.values()),
        errors=plain.result.errors + stream.result.errors + paced.errors + paced.unfinished,
    )


async def window(gateway: Gateway, target: Target, seconds: float, kind: type[Connection] = Connection) -> Window:
    """Load a gateway for a window at 64 connections."""
    before, stores_before = processes.sample(gateway.pids).cpu_s, processes.sample(gateway.stores).cpu_s
    result = await closed_loop(target, connections=CONNECTIONS, seconds=seconds, kind=kind)
    # What is written behind an answer is part of its cost.
    await asyncio.sleep(0.5)
    services = _each(result, before, processes.sample(gateway.pids).cpu_s)
    return Window(result, services, _each(result, stores_before, processes.sample(gateway.stores).cpu_s))


def _each(result: Result, before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: 1000 * (after[name] - before.get(name, 0.0)) / max(1, result.done) for name in after}


def _cpu_s(pids: Mapping[str, int]) -> float:
    return sum(processes.sample(pids).cpu_s.values())


async def _quiet(gateway: Gateway) -> None:
    for _ in range(int(QUIET_AT_MOST_S / 0.5)):
        before = _cpu_s(gateway.pids)
        await asyncio.sleep(0.5)
        if _cpu_s(gateway.pids) - before < QUIET_SHARE * 0.5:
            return
