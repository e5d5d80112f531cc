"""What every proof under load shares: its options, how it restarts a fleet, reads the books, says what was found."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Final

import asyncpg

from servicekit.redis import open_redis
from tools.chaos.accounts import Books, wait_for_rest
from tools.rolling_restart.balancer import HEALTH_EVERY_S
from tools.rolling_restart.fleet import BEHIND, Instance
from tools.rolling_restart.load import Seen
from tools.stack.environments import DATABASE
from tools.stack.up import Stack

SHOWN: Final = 20
NOT_POSSIBLE: Final = 2
# Time for the balancer to ask twice, on a box that does other things too.
LEAVE_S: Final = 6 * HEALTH_EVERY_S
SETTINGS: Final = {
    "GATEWAY_GRACE_S": "60",
    "ROUTER_GRPC_GRACE_S": "60",
    "GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8",
    "GATEWAY_LEAVE_S": str(LEAVE_S),
}


def add_options(parser: argparse.ArgumentParser, *, rate: float, streams: int, gateways: int, settle_s: float) -> None:
    """Add the options of a proof with a fleet, with its own measure where none is given."""
    add_load_options(parser, rate=rate, streams=streams, settle_s=settle_s)
    parser.add_argument("--gateways", type=int, default=gateways)
    parser.add_argument("--behind", type=int, default=2, help="of auth, router and usage each")


def add_load_options(parser: argparse.ArgumentParser, *, rate: float, streams: int, settle_s: float) -> None:
    """Add what every proof under load is told: how much of it, and how long."""
    parser.add_argument("--rate", type=float, default=rate, help=f"requests a second, {rate:g}")
    parser.add_argument("--streams", type=int, default=streams, help=f"streams that are open all the time, {streams}")
    parser.add_argument("--settle", type=float, default=settle_s, help="seconds of load before, between and after")
    parser.add_argument("--rest", type=float, default=120.0, help="seconds the books are given to come to rest")


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options; the program ends when one of them makes no sense."""
    arguments = parser.parse_args()
    if arguments.rate <= 0 or min(arguments.gateways, arguments.behind) < 1 or arguments.streams < 0:
        parser.error("--rate must be above 0, --gateways and --behind at least 1, --streams not below 0")
    return arguments


def sizes_of(arguments: argparse.Namespace) -> dict[str, int]:
    """Return how many of each service the options ask for."""
    return {**dict.fromkeys(BEHIND, arguments.behind), "gateway": arguments.gateways}


async def all_ready(fleet: Sequence[Instance]) -> None:
    """Return when every instance can serve.

    Raises:
        StackError: one ended, or takes too long.
    """
    await asyncio.gather(*(each.ready() for each in fleet))


async def restart_each(fleet: Sequence[Instance], seen: Seen, settle_s: float) -> None:
    """Restart one after another, with so many seconds of load after each, and say how long each took.

    Raises:
        StackError: one does not end, or does not become ready.
    """
    for each in fleet:
        await _restart(each, seen)
        await asyncio.sleep(settle_s)


async def take_away_and_add(fleet: Sequence[Instance], seen: Seen, settle_s: float) -> None:
    """Take the last of each service away, one after another, then add them again, with so many seconds after each.

    Raises:
        StackError: one does not end, or does not become ready.
    """
    last = {each.service: each for each in fleet}
    for each in last.values():
        _say(each, f"taken away in {await _end(each):5.1f} s", seen)
        await asyncio.sleep(settle_s)
    for each in last.values():
        _say(each, f"added in {await _begin(each):5.1f} s", seen)
        await asyncio.sleep(settle_s)


async def _restart(instance: Instance, seen: Seen) -> None:
    ended_s, ready_s = await _end(instance), await _begin(instance)
    _say(instance, f"ended in {ended_s:5.1f} s, ready in {ready_s:5.1f} s", seen)


async def _end(instance: Instance) -> float:
    instance.signal()
    return await instance.ended()


async def _begin(instance: Instance) -> float:
    began = time.monotonic()
    instance.start()
    await instance.ready()
    return time.monotonic() - began


def _say(instance: Instance, what: str, seen: Seen) -> None:
    print(f"{instance.name:10} {what}; answered {len(seen.completed)}, failed {len(seen.failed)}", flush=True)


async def books_of(stack: Stack, seen: Seen, rest_s: float, *, journals: str = "journals") -> Books:
    """Return the books once they are right, or as they are after so many seconds."""
    async with (
        asyncpg.create_pool(stack.admin_dsn(DATABASE), min_size=1, max_size=2) as database,
        open_redis(stack.environments.redis_settings) as redis,
    ):
        evidence = stack.home.root / journals
        return await wait_for_rest(redis, database, seen.completed, evidence, deadline_s=rest_s)


def concluded(seen: Seen, books: Books) -> int:
    """Print what callers saw and the books say; return 0 when no request failed and the books are right, else 1."""
    print(_verdict(seen, books))
    return 0 if books.is_right and not seen.failed else 1


def _verdict(seen: Seen, books: Books) -> str:
    right = "right" if books.is_right else f"WRONG: missing {books.missing[:5]}, doubled {books.doubled[:5]}"
    failures = "".join(f"\n  {each}" for each in seen.failed[:SHOWN])
    return (
        f"answered {len(seen.completed)} ({seen.streams} streams), slowest plain answer {seen.slowest_s:.1f} s; "
        f"failed {len(seen.failed)}{failures}\n"
        f"rows {books.rows}, holds left {books.open_holds}, rollups {books.rollup_differences or 'agree'}, "
        f"budget counters {books.budgets.differences or 'equal to their rows'}: the books are {right}"
    )
