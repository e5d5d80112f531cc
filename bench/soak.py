"""Hours in minutes: a steady rate of plain answers and streams, and whether memory grows under it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Final

from bench import processes
from bench.load import Result, Target, open_loop
from tools.stack.throwaway import Suite

PLAIN_RATE: Final = 50.0
STREAM_RATE: Final = 10.0
SAMPLES: Final = 60
# Caches fill and allocators settle first.
SETTLES_SHARE: Final = 0.25


async def table(suite: Suite, plain: Target, stream: Target, seconds: float) -> list[str]:
    """Run for `seconds`; return the memory of each service and its slope over the last three quarters."""
    loads = [
        asyncio.create_task(open_loop(target, rate=rate, seconds=seconds))
        for target, rate in ((plain, PLAIN_RATE), (stream, STREAM_RATE))
    ]
    times, memory = await _watch(suite, loads, seconds)
    results = [load.result() for load in loads]
    failed = sum(one.errors + one.unfinished for one in results)
    lines = [
        "",
        f"**{seconds:.0f} s of {PLAIN_RATE:.0f} plain answers and {STREAM_RATE:.0f} streams a second**: "
        f"{sum(one.done for one in results)} answers, {failed} failed",
        "",
        "| process | MiB at the beginning | at the end | kB a minute | bytes an answer |",
        "|---|---|---|---|---|",
    ]
    for name, values in memory.items():
        slope = slope_of(times, values)
        an_answer = slope * 2**20 / (PLAIN_RATE + STREAM_RATE)
        lines.append(f"| {name} | {values[0]:.0f} | {values[-1]:.0f} | {slope * 60 * 1024:.0f} | {an_answer:.0f} |")
    return lines


async def _watch(
    suite: Suite, loads: Sequence[asyncio.Task[Result]], seconds: float
) -> tuple[list[float], dict[str, list[float]]]:
    began, times = time.monotonic(), []
    memory: dict[str, list[float]] = {name: [] for name in processes.SERVICES}
    while not all(load.done() for load in loads):
        times.append(time.monotonic() - began)
        now = processes.resident_mib(suite.pids())
        for name, values in memory.items():
            values.append(now[name])
        await asyncio.wait(loads, timeout=seconds / SAMPLES)
    return times, memory


def slope_of(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope by least squares of all but the first quarter, in units of a value a second."""
    first = int(len(times) * SETTLES_SHARE)
    return statistics.linear_regression(times[first:], values[first:]).slope
