"""`make rolling-restart`: restart everything under load, one process after another; exit 1 when a caller noticed."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.chaos.accounts import Books
from tools.rolling_restart.balancer import running_balancer
from tools.rolling_restart.fleet import BEHIND, Instance, make_fleet, running_fleet
from tools.rolling_restart.load import Load, Seen
from tools.rolling_restart.proof import (
    LEAVE_S,
    NOT_POSSIBLE,
    SETTINGS,
    add_options,
    all_ready,
    books_of,
    concluded,
    parsed,
    restart_each,
    sizes_of,
    take_away_and_add,
)
from tools.servers.installed_environments import NotInstalledError
from tools.stack.throwaway import Suite, running_suite


def main() -> int:
    """Return 0 when no request failed and the books are right, 1 when not, 2 when it cannot be tried here."""
    parser = argparse.ArgumentParser(prog="make rolling-restart", description=__doc__)
    add_options(parser, rate=100.0, streams=50, gateways=3, settle_s=5.0)
    parser.add_argument("--leave", type=float, default=LEAVE_S, help="GATEWAY_LEAVE_S; 0 shows what it is for")
    parser.add_argument("--scale", action="store_true", help="take one of each away and add it again, restart none")
    arguments = parsed(parser)
    if arguments.scale and min(arguments.gateways, arguments.behind) < 2:
        parser.error("--scale leaves nobody to answer: --gateways and --behind at least 2")
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "rolling-restart"
    try:
        with running_suite(home) as suite:
            seen, books = _restart_everything(suite, arguments)
    except NotInstalledError as exc:
        print(f"the load balancer cannot be installed here: {exc}", file=sys.stderr)
        return NOT_POSSIBLE
    return concluded(seen, books)


def _restart_everything(suite: Suite, arguments: argparse.Namespace) -> tuple[Seen, Books]:
    stack = suite.stack
    # The suite's own four are of no use here; its stores, emulator and accounts are.
    stack.supervisor.stop([*BEHIND, "gateway"], deadline_s=60.0)
    settings = {**SETTINGS, "GATEWAY_LEAVE_S": str(arguments.leave)}
    with running_fleet(make_fleet(stack, sizes_of(arguments), settings)) as fleet:
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
        change = take_away_and_add if arguments.scale else restart_each
        await change(fleet, load.seen, arguments.settle)
        stop.set()
    return load.seen


if __name__ == "__main__":
    sys.exit(main())
