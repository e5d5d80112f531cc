"""`make bench`: print what a request costs. See docs/performance.md for how to read it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvloop

from bench import open_streams, processes, soak, takeover, verification
from bench.cases import CASES, CONNECTIONS, PLAIN, STREAM, Case
from bench.load import Result, Target, closed_loop, open_loop
from bench.peers.ours import AS_DEPLOYED
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.throwaway import UPSTREAM_KEY, Suite, running_suite

MARK: Final = "<!-- bench -->"
CPU_ROOMS: Final = (*processes.SERVICES, "redis", "postgres")


MANY: Final = Case(open_streams.NAME, "bench-model-30ms", True)


def main() -> None:
    """Run what the command line asks for and print the tables."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one window")
    parser.add_argument("--only", default="", help="run only the cases whose name has this text")
    parser.add_argument("--long", action="store_true", help="add 200 requests/s for 60 s")
    parser.add_argument("--soak", type=float, default=0.0, help="only a steady rate for so many seconds")
    parser.add_argument("--write", type=Path, help="replace the table in this Markdown file")
    parser.add_argument("--takeover", action="store_true", help="only kill one of two routers under load")
    parser.add_argument("--rate", type=float, default=takeover.RATE, help="streams a second of --takeover")
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.only in case.name]
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "bench"
    if arguments.takeover:
        _take_over(home, arguments.rate)
        return
    with running_suite(home, AS_DEPLOYED) as suite:
        # For a profiler, and not part of the tables.
        print(f"pids: {suite.pids()}", file=sys.stderr)
        many = arguments.only in open_streams.NAME
        if arguments.soak:
            work = soak.table(suite, _through(suite, PLAIN), _through(suite, STREAM), arguments.soak)
            print("\n".join(uvloop.run(work)))
            return
        lines = uvloop.run(_run(suite, cases, arguments.seconds, long=arguments.long, many=many))
    if arguments.write:
        _write(arguments.write, lines)


def _take_over(home: Path, rate: float) -> None:
    first, second = free_port(), free_port()
    both = {
        "ROUTER_GRPC_PORT": str(first),
        "GATEWAY_ROUTER_TARGET": f"ipv4:{LOOPBACK}:{first},{LOOPBACK}:{second}",
    }
    with running_suite(home, both) as suite, takeover.second_router(suite, second, home / "router-2.log") as router:
        print("\n".join(uvloop.run(takeover.table(suite, router, _through(suite, MANY), rate))))


async def _run(suite: Suite, cases: list[Case], seconds: float, *, long: bool, many: bool) -> list[str]:
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say(_at_rest(suite))
    say("")
    if many:
        for line in await open_streams.table(suite, _through(suite, MANY), seconds):
            say(line)
        say("")
    for case in cases:
        await closed_loop(_through(suite, case), connections=8, seconds=2.0)
    for line in _closed_head():
        say(line)
    for case in cases:
        say(await _closed_row(suite, case, seconds))
    for line in _open_head():
        say(line)
    for case in cases:
        for rate in (50, 200):
            say(await _open_row(suite, case, rate, seconds))
    if long and cases:
        say(await _open_row(suite, cases[0], 200, 60.0))
    for line in verification.table(await verification.measure()):
        say(line)
    say("")
    peak = processes.sample(suite.pids()).peak_mib
    say("Peak memory, MiB: " + ", ".join(f"{room} {peak[room]:.0f}" for room in sorted(peak)))
    return lines


def _at_rest(suite: Suite) -> str:
    own = processes.proportional_mib({room: suite.pids()[room] for room in processes.SERVICES})
    listed = ", ".join(f"{room} {own[room]:.0f}" for room in sorted(own))
    return f"Memory at rest, MiB, shared pages counted once: {listed}; together {sum(own.values()):.0f}"


def _through(suite: Suite, case: Case) -> Target:
    return Target(f"{suite.stack.url}/v1/chat/completions", suite.demo.api_key, case.body())


def _direct(suite: Suite, case: Case) -> Target:
    return Target(f"{suite.upstream_url}/chat/completions", UPSTREAM_KEY, case.body())


def _closed_head() -> Iterator[str]:
    yield f"**{CONNECTIONS} connections, closed loop**"
    yield ""
    yield from _table_head(
        "case", "answers/s", "p50 ms", "p99 ms", "errors", "CPU ms a request: all services", *CPU_ROOMS
    )


async def _closed_row(suite: Suite, case: Case, seconds: float) -> str:
    before = processes.sample(suite.pids()).cpu_s
    result = await closed_loop(_through(suite, case), connections=CONNECTIONS, seconds=seconds)
    # Records are shipped within 50 ms; a short wait counts their cost into this row.
    await asyncio.sleep(0.5)
    after = processes.sample(suite.pids()).cpu_s
    cpu = {room: 1000 * (after[room] - before.get(room, 0.0)) / max(1, result.done) for room in after}
    ours = sum(cpu.get(room, 0.0) for room in processes.SERVICES)
    cells = [f"{result.done / result.seconds:.0f}", f"{result.percentile(0.5):.1f}", f"{result.percentile(0.99):.1f}"]
    cells += [str(result.errors), f"**{ours:.2f}**"]
    cells += [f"{cpu.get(room, 0.0):.3f}" for room in CPU_ROOMS]
    return f"| {case.name} | " + " | ".join(cells) + " |"


def _table_head(*titles: str) -> Iterator[str]:
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)


def _open_head() -> Iterator[str]:
    yield ""
    yield "**Open loop, latency from the due time; added = ours minus the upstream alone at the same rate**"
    yield ""
    figures = ("p50 ms", "p95", "p99", "added p50", "added p95", "added p99", "first byte p50", "errors")
    yield from _table_head("case", "requests/s", "seconds", *figures)


async def _open_row(suite: Suite, case: Case, rate: int, seconds: float) -> str:
    alone: Result | None = None
    if case.model == "bench-model":
        alone = await open_loop(_direct(suite, case), rate=rate, seconds=min(seconds, 10.0))
    ours = await open_loop(_through(suite, case), rate=rate, seconds=seconds)
    shares = (0.5, 0.95, 0.99)
    cells = [str(rate), f"{seconds:.0f}", *(f"{ours.percentile(share):.1f}" for share in shares)]
    cells += [f"{ours.percentile(share) - alone.percentile(share):.1f}" if alone else "–" for share in shares]
    cells += [f"{ours.percentile(0.5, first_byte=True):.1f}", str(ours.errors + ours.unfinished)]
    return f"| {case.name} | " + " | ".join(cells) + " |"


def _write(path: Path, lines: list[str]) -> None:
    text = path.read_text()
    if text.count(MARK) != 2:
        sys.exit(f"{path}: expected two lines {MARK} around the table")
    head, _, tail = text.split(MARK)
    path.write_text(head + MARK + "\n\n" + "\n".join(lines) + "\n\n" + MARK + tail)


if __name__ == "__main__":
    main()
