"""`make rolling-restart`: restart everything under load, one process after another; exit 1 when a caller noticed."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg
from redis.asyncio import Redis

from bench.peers.environments import NotInstalledError
from bench.suite import Suite, running_suite
from tools.chaos.accounts import Books, wait_for_rest
from tools.rolling_restart.balancer import HEALTH_EVERY_S, running_balancer
from tools.rolling_restart.fleet import BEHIND, Instance, make_fleet, running_fleet
from tools.rolling_restart.load import Load, Seen
from tools.stack.environments import DATABASE

# Time for the balancer to ask twice, on a box that does other things too.
LEAVE_S: Final = 6 * HEALTH_EVERY_S
SETTINGS: Final = {
    "GATEWAY_GRACE_S": "60",
    "ROUTER_GRPC_GRACE_S": "60",
    "GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8",
}
NOT_POSSIBLE: Final = 2
SHOWN: Final = 20


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
    print(_verdict(seen, books))
    return 0 if books.is_right and not seen.failed else 1


def _restart_everything(suite: Suite, arguments: argparse.Namespace) -> tuple[Seen, Books]:
    stack = suite.stack
    # The suite's own four are of no use here; its stores, emulator and accounts are.
    stack.supervisor.stop([*BEHIND, "gateway"], deadline_s=60.0)
    sizes = {**dict.fromkeys(BEHIND, arguments.behind), "gateway": arguments.gateways}
    settings = {**SETTINGS, "GATEWAY_LEAVE_S": str(arguments.leave)}
    with running_fleet(make_fleet(stack, sizes, settings)) as fleet:
        asyncio.run(_all_ready(fleet))
        gateways = [each.address for each in fleet if each.service == "gateway"]
        with running_balancer(stack.home.root, gateways) as url:
            seen = asyncio.run(_under_load(url, suite.demo.api_key, fleet, arguments))
        return seen, asyncio.run(_books(suite, seen, arguments.rest))


async def _all_ready(fleet: Sequence[Instance]) -> None:
    await asyncio.gather(*(each.ready() for each in fleet))


async def _under_load(url: str, key: str, fleet: Sequence[Instance], arguments: argparse.Namespace) -> Seen:
    load, stop = Load(url, key, rate=arguments.rate, streams=arguments.streams), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(stop))
        await asyncio.sleep(arguments.settle)
        for each in fleet:
            await _restart(each, load.seen)
            await asyncio.sleep(arguments.settle)
        stop.set()
    return load.seen


async def _restart(instance: Instance, seen: Seen) -> None:
    instance.signal()
    ended_s = await instance.ended()
    began = time.monotonic()
    instance.start()
    await instance.ready()
    ready_s = time.monotonic() - began
    print(
        f"{instance.name:10} ended in {ended_s:5.1f} s, ready in {ready_s:5.1f} s; "
        f"answered {len(seen.completed)}, failed {len(seen.failed)}",
        flush=True,
    )


async def _books(suite: Suite, seen: Seen, rest_s: float) -> Books:
    database = await asyncpg.create_pool(suite.stack.admin_dsn(DATABASE), min_size=1, max_size=2)
    redis = Redis.from_url(suite.stack.environments.redis_url)
    try:
        journals = suite.stack.home.root / "journals"
        return await wait_for_rest(redis, database, seen.completed, journals, deadline_s=rest_s)
    finally:
        await redis.aclose()
        await database.close()


def _verdict(seen: Seen, books: Books) -> str:
    right = "right" if books.is_right else f"WRONG: missing {books.missing[:5]}, doubled {books.doubled[:5]}"
    failures = "".join(f"\n  {each}" for each in seen.failed[:SHOWN])
    return (
        f"answered {len(seen.completed)} ({seen.streams} streams), slowest plain answer {seen.slowest_s:.1f} s; "
        f"failed {len(seen.failed)}{failures}\n"
        f"rows {books.rows}, holds left {books.open_holds}, rollups {books.rollup_differences or 'agree'}, "
        f"budget counters {books.budgets.differences or 'equal to their rows'}: the books are {right}"
    )


if __name__ == "__main__":
    sys.exit(main())
