"""`make rolling-restart`: restart everything under load, one process after another; exit 1 when a caller noticed."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.chaos.accounts import Books
from tools.rolling_restart.balancer import HEALTH_EVERY_S, running_balancer
from tools.rolling_restart.fleet import BEHIND, Instance, make_fleet, running_fleet
from tools.rolling_restart.load import Load, Seen
from tools.rolling_restart.proof import all_ready, books_of, restart, verdict
from tools.servers.installed_environments import NotInstalledError
from tools.stack.throwaway import Suite, running_suite

# Time for the balancer to ask twice, on a box that does other things too.
LEAVE_S: Final = 6 * HEALTH_EVERY_S
SETTINGS: Final = {
    "GATEWAY_GRACE_S": "60",
    "ROUTER_GRPC_GRACE_S": "60",
    "GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8",
}
NOT_POSSIBLE: Final = 2


def main() -> int:
    """Return 0 when no request failed and the books are right, 1 when not, 2 when it cannot be tried here."""
    parser = argparse.ArgumentParser(prog="make rolling-restart", description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second, 100")
    parser.add_argument("--streams", type=int, default=50, help="streams that are open all the time, 50")
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--behind", type=int, default=2, help="of auth, router and usage each")
    parser.add_argument("--leave", type=float, default=LEAVE_S, help="GATEWAY_LEAVE_S; 0 shows what it is for")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds of load before, between and after")
    parser.add_argument("--rest", type=float, default=120.0, help="seconds the books are given to come to rest")
    arguments = parser.parse_args()
    if arguments.rate <= 0 or min(arguments.gateways, arguments.behind) < 1 or arguments.streams < 0:
        parser.error("--rate must be above 0, --gateways and --behind at least 1, --streams not below 0")
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "rolling-restart"
    try:
        with running_suite(home) as suite:
            seen, books = _restart_everything(suite, arguments)
    except NotInstalledError as exc:
        print(f"the load balancer cannot be installed here: {exc}", file=sys.stderr)
        return NOT_POSSIBLE
    print(verdict(seen, books))
    return 0 if books.is_right and not seen.failed else 1


def _restart_everything(suite: Suite, arguments: argparse.Namespace) -> tuple[Seen, Books]:
    stack = suite.stack
    # The suite's own four are of no use here; its stores, emulator and accounts are.
    stack.supervisor.stop([*BEHIND, "gateway"], deadline_s=60.0)
    sizes = {**dict.fromkeys(BEHIND, arguments.behind), "gateway": arguments.gateways}
    settings = {**SETTINGS, "GATEWAY_LEAVE_S": str(arguments.leave)}
    with running_fleet(make_fleet(stack, sizes, settings)) as fleet:
        asyncio.run(all_ready(fleet))
        gateways = [each.address for each in fleet if each.service == "gateway"]
        with running_balancer(stack.home.root, gateways) as url:
            seen = asyncio.run(_under_load(url, suite.demo.api_key, fleet, arguments))
        return seen, asyncio.run(books_of(stack, seen, arguments.rest))


async def _under_load(url: str, key: str, fleet: Sequence[Instance], arguments: argparse.Namespace) -> Seen:
    load, stop = Load(url, key, rate=arguments.rate, streams=arguments.streams), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(stop))
        await asyncio.sleep(arguments.settle)
        for each in fleet:
            await restart(each, load.seen)
            await asyncio.sleep(arguments.settle)
        stop.set()
    return load.seen


if __name__ == "__main__":
    sys.exit(main())
