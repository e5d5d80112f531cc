"""`make bench-peers`: other gateways and ours in one run. See docs/performance.md for what is unfair in it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.peers.figures import measure, median
from bench.peers.ours import ENVIRONMENT, ours
from bench.peers.products import PEERS
from bench.peers.rounds import in_turn
from bench.peers.running import Absent, Gateway, running_peer, targets
from bench.peers.table import Line, table
from tools.servers.installed_environments import forget
from tools.stack.throwaway import UPSTREAM_KEY, Suite, running_suite


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
    with running_suite(home, ENVIRONMENT) as suite, ExitStack() as stack:
        found: list[Gateway | Absent] = []
        for peer in PEERS:
            if arguments.only.lower() in peer.name.lower():
                found.append(stack.enter_context(running_peer(peer, suite.upstream_url, home / peer.name)))
        uvloop.run(_run(suite, found, arguments.seconds, arguments.rounds))


async def _run(suite: Suite, found: Sequence[Gateway | Absent], seconds: float, rounds: int) -> None:
    peers = [one for one in found if isinstance(one, Gateway)]
    gateways = [_upstream(suite), ours(suite), *peers]
    figures = await in_turn(gateways, measure, seconds, rounds)
    direct, own, *others = [Line(one.name, one.does, median(figures[one.name])) for one in gateways]
    absent = [one for one in found if isinstance(one, Absent)]
    print("\n".join(table(direct.figures, own, others, absent)))


def _upstream(suite: Suite) -> Gateway:
    plain, stream = targets(suite.upstream_url, UPSTREAM_KEY)
    return Gateway("upstream", "", {}, plain, stream)


if __name__ == "__main__":
    main()
