"""`make bench-peers`: other gateways and ours in one run. See docs/performance.md for what is unfair in it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop

from bench import processes
from bench.peers.figures import Figures, measure, median
from bench.peers.products import PEERS
from bench.peers.running import Absent, Gateway, running_peer, targets
from bench.peers.table import Line, table
from tools.servers.installed_environments import forget
from tools.stack.throwaway import UPSTREAM_KEY, Suite, running_suite

STORES: Final = ("postgres", "redis")
# With traces on and none sampled, as an installation has it that samples few. Nobody listens there, nothing is sent.
TRACES: Final = {
    f"{service.upper()}_TELEMETRY_{name}": value
    for service in processes.SERVICES
    for name, value in (("OTLP_ENDPOINT", "127.0.0.1:9"), ("SAMPLE_RATIO", "0"))
}


def main() -> None:
    """Install, start and measure all of them in turn, several rounds, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one window")
    parser.add_argument(
        "--rounds", type=int, default=2, help="how often all are measured in turn; medians count, after one to warm up"
    )
    parser.add_argument("--only", default="", help="measure only gateways whose name has this text, beside ours")
    parser.add_argument("--fresh", action="store_true", help="install today's newest versions anew")
    arguments = parser.parse_args()
    if arguments.fresh:
        forget()
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")).resolve() / "bench"
    with running_suite(home, TRACES) as suite, ExitStack() as stack:
        found: list[Gateway | Absent] = []
        for peer in PEERS:
            if arguments.only.lower() in peer.name.lower():
                found.append(stack.enter_context(running_peer(peer, suite.upstream_url, home / peer.name)))
        uvloop.run(_run(suite, found, arguments.seconds, arguments.rounds))


async def _run(suite: Suite, found: Sequence[Gateway | Absent], seconds: float, rounds: int) -> None:
    peers = [one for one in found if isinstance(one, Gateway)]
    gateways = [_upstream(suite), _ours(suite), *peers]
    figures: dict[str, list[Figures]] = {gateway.name: [] for gateway in gateways}
    # The first round is not counted: Node.js compiles what is hot in it, and would seem dearer than it is.
    for number in range(rounds + 1):
        for gateway in gateways:
            print(f"round {number or 'to warm up'}: {gateway.name}", file=sys.stderr, flush=True)
            measured = await measure(gateway, seconds)
            if number:
                figures[gateway.name].append(measured)
            await asyncio.sleep(0.5)
    direct, ours, *others = [Line(one.name, one.does, median(figures[one.name])) for one in gateways]
    absent = [one for one in found if isinstance(one, Absent)]
    print("\n".join(table(direct.figures, ours, others, absent)))


def _upstream(suite: Suite) -> Gateway:
    plain, stream = targets(suite.upstream_url, UPSTREAM_KEY)
    return Gateway("upstream", "", {}, plain, stream)


def _ours(suite: Suite) -> Gateway:
    pids = suite.pids()
    services = {name: pids[name] for name in processes.SERVICES}
    stores = {name: pids[name] for name in STORES}
    plain, stream = targets(f"{suite.stack.url}/v1", suite.demo.api_key)
    does = "keys, scopes, exact limits over replicas, exact metering, metrics, log line, unsampled traces"
    return Gateway("Razvilka (2 processes a request, 4 in all)", does, services, plain, stream, stores)


if __name__ == "__main__":
    main()
