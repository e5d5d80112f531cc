"""What people really have: hundreds of streams open at once, each with an event every 30 ms.

At that load a stream is made of waiting; what counts is what an open one costs, and how long a new one waits.
"""

from __future__ import annotations

import asyncio
from typing import Final

from bench import processes
from bench.load import Target, TimedConnection, closed_loop
from tools.stack.throwaway import Suite

STREAMS: Final = 500
NAME: Final = f"{STREAMS} streams, 30 ms between events"
# Nobody's callers all come in one millisecond, and streams that began together would stay in step.
RAMP_S: Final = 2.0
# What carries a stream; the others see its beginning and its end.
CARRIERS: Final = ("gateway", "router")


async def table(suite: Suite, target: Target, seconds: float) -> list[str]:
    """Keep `STREAMS` streams open for `seconds`, twice: the first time memory settles, the second is measured."""
    await closed_loop(target, connections=STREAMS, seconds=RAMP_S + 1.0, ramp_s=RAMP_S)
    pids = suite.pids()
    rest, before = processes.resident_mib(pids), processes.sample(pids)
    load = closed_loop(target, connections=STREAMS, seconds=seconds, ramp_s=RAMP_S, kind=TimedConnection)
    running = asyncio.create_task(load)
    await asyncio.sleep((RAMP_S + seconds) / 2)
    full = processes.resident_mib(pids)
    result = await running
    after = processes.sample(pids)
    first = [result.percentile(share, first_byte=True) for share in (0.5, 0.99)]
    lines = [
        "",
        f"**{NAME}, closed loop**: {result.done / result.seconds:.0f} answers/s, first byte p50 {first[0]:.1f} ms, "
        f"p99 {first[1]:.1f} ms, whole answer p50 {result.percentile(0.5):.0f} ms, "
        f"p99 {result.percentile(0.99):.0f} ms, errors {result.errors}; an event is under way (upstream's write to "
        f"the caller's read) for p50 {result.delay(0.5):.1f} ms, p99 {result.delay(0.99):.1f} ms, at most "
        f"{result.delay(1.0):.1f} ms",
        "",
        "| process | CPU ms a stream | in the kernel | CPU of one core, % an open stream | memory an open stream, kB |",
        "|---|---|---|---|---|",
    ]
    for name in CARRIERS:
        cpu_s = after.cpu_s[name] - before.cpu_s[name]
        kernel = 100 * (after.kernel_s[name] - before.kernel_s[name]) / max(cpu_s, 0.001)
        share = 100 * cpu_s / result.seconds / STREAMS
        memory = 1024 * (full[name] - rest[name]) / STREAMS
        a_stream = 1000 * cpu_s / max(1, result.done)
        lines.append(f"| {name} | {a_stream:.2f} | {kernel:.0f} % | {share:.3f} | {memory:.0f} |")
    return lines
