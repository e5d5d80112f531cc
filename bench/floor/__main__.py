"""`make bench-floor`: what the libraries alone cost, beside ours and Portkey. See docs/performance.md."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench.floor.figures import Costs, measure, medians
from bench.floor.running import running_floor
from bench.floor.table import Line, table
from bench.peers.ours import ENVIRONMENT, ours
from bench.peers.products import PEERS
from bench.peers.rounds import in_turn
from bench.peers.running import Absent, Gateway, running_peer
from tools.stack.throwaway import running_suite

PORTKEY: Final = next(peer for peer in PEERS if peer.name == "Portkey")


def main() -> None:
    """Start and measure all of them in turn, several rounds, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-floor", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one window")
    parser.add_argument(
        "--rounds", type=int, default=2, help="how often all are measured in turn; medians count, after one to warm up"
    )
    arguments = parser.parse_args()
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")).resolve() / "bench"
    with (
        running_suite(home, ENVIRONMENT) as suite,
        running_floor(suite.upstream_url, home / "floor") as floor,
        running_peer(PORTKEY, suite.upstream_url, home / PORTKEY.name) as portkey,
    ):
        found = [ours(suite), *floor, portkey]
        costs = uvloop.run(_measured(found, arguments.seconds, arguments.rounds))
    print("\n".join(table(*_lines(found, costs))))


async def _measured(found: Sequence[Gateway | Absent], seconds: float, rounds: int) -> dict[str, Costs]:
    gateways = [one for one in found if isinstance(one, Gateway)]
    costs = await in_turn(gateways, measure, seconds, rounds)
    return {name: medians(several) for name, several in costs.items()}


def _lines(
    found: Sequence[Gateway | Absent], costs: dict[str, Costs]
) -> tuple[Line, list[Line], Line | None, list[Absent]]:
    own, *floor, portkey = [Line(one.name, costs[one.name]) if isinstance(one, Gateway) else None for one in found]
    absent = [one for one in found if isinstance(one, Absent)]
    if own is None:
        raise SystemExit("error: ours was not measured")
    return own, [line for line in floor if line], portkey, absent


if __name__ == "__main__":
    main()
