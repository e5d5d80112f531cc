"""`make chaos`: something bad every second or so under load, a hundred times, then audit the books."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import asyncpg
from redis.asyncio import Redis

from tools.chaos.accounts import Books, wait_for_rest
from tools.chaos.callers import make_callers
from tools.chaos.events import NOBODY, Events, Kind
from tools.chaos.load import Load, Seen
from tools.chaos.surroundings import clock_environment, small_disk
from tools.stack.environments import DATABASE
from tools.stack.throwaway import Suite, running_suite

# Fewer slots and places than clients: the line for a provider is full all the time, and refuses some.
CROWDED: Final = {"ROUTER_YANDEX_CONCURRENCY": "2", "ROUTER_GIGACHAT_CONCURRENCY": "3", "ROUTER_SLOTS_PLACES": "4"}
# Counters that a crash left wrong are set right by the reconciliation, which this run will not wait minutes for.
RECONCILED: Final = {"GATEWAY_ADMISSION_RECONCILE_EVERY_S": "10"}
# A little over half of what an account asks for in a storm: its budget ends on the way.
TIGHT_MICRO_RUB_PER_EVENT: Final = 100_000
# Until a budget counts at every gateway.
BUDGETS_KNOWN_S: Final = 6.0
NEEDS: Final = {Kind.FILL: "the right to mount a tmpfs", Kind.CLOCK: "libfaketime, Debian's package faketime"}
KILLING: Final = (Kind.KILL, Kind.FLIP, Kind.TEAR)
TOLD_EVERY: Final = 20
Happened = Counter[tuple[Kind, str]]


def main() -> int:
    """Run the storm and return 0 when the books are right."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--events", "--kills", type=int, default=100)
    parser.add_argument("--kinds", type=Kind, nargs="+", default=list(Kind), help=f"of {', '.join(Kind)}")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--answers", type=int, default=0, help="go on asking behind the events until there are so many")
    parser.add_argument("--pause", type=float, nargs=2, default=(0.5, 2.5), help="least and most seconds in between")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--rest", type=float, default=120.0, help="seconds the suite is given to come to rest")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "chaos"
    journal, clock = home.resolve() / "journal", home.resolve() / "clock"
    wrong_clock = clock_environment(clock) if Kind.CLOCK in arguments.kinds else {}
    environment = {**CROWDED, **RECONCILED, **wrong_clock}
    with small_disk(journal) as is_small, running_suite(home, environment) as suite:
        possible = {Kind.FILL: is_small, Kind.CLOCK: bool(wrong_clock)}
        kinds = _possible(arguments.kinds, possible)
        rng = random.Random(arguments.seed)  # noqa: S311 - chooses victims
        events = Events(suite.pids, journal, clock if wrong_clock else None, rng)
        books = asyncio.run(_storm(suite, events, kinds, rng, arguments))
    print(_verdict(books))
    return 0 if books.is_right else 1


def _possible(wanted: Sequence[Kind], possible: Mapping[Kind, bool]) -> list[Kind]:
    for kind in wanted:
        if not possible.get(kind, True):
            print(f"skipped: {kind} (needs {NEEDS[kind]})", flush=True)
    return [kind for kind in wanted if possible.get(kind, True)]


async def _storm(
    suite: Suite, events: Events, kinds: Sequence[Kind], rng: random.Random, arguments: argparse.Namespace
) -> Books:
    tight_rub = f"{arguments.events * TIGHT_MICRO_RUB_PER_EVENT / 1e6:.6f}"
    callers = await make_callers(suite.stack.auth, suite.demo, tight_rub=tight_rub)
    await asyncio.sleep(BUDGETS_KNOWN_S)
    load = Load(suite.demo.url, callers, clients=arguments.clients, rng=rng)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(stop))
        happened = await _harm(events, load, kinds, rng, arguments)
        await load.has_answers(arguments.answers)
        await asyncio.sleep(5.0)
        stop.set()
    print(_table(happened))
    print(f"SIGKILLs {_kills(happened)}")
    print(_summary(load.seen))
    return await _books(suite, load.seen, rest_s=arguments.rest)


async def _harm(
    events: Events, load: Load, kinds: Sequence[Kind], rng: random.Random, arguments: argparse.Namespace
) -> Happened:
    happened: Happened = Counter()
    for number in range(1, arguments.events + 1):
        await asyncio.sleep(rng.uniform(*arguments.pause))
        kind = rng.choice(kinds)
        happened[kind, await asyncio.to_thread(events.happen, kind)] += 1
        if number % TOLD_EVERY == 0:
            print(f"{number} events, {len(load.seen.completed)} answers, {_kills(happened)} kills", flush=True)
    return happened


async def _books(suite: Suite, seen: Seen, *, rest_s: float) -> Books:
    database = await asyncpg.create_pool(suite.stack.admin_dsn(DATABASE), min_size=1, max_size=2)
    redis = Redis.from_url(suite.stack.environments.redis_url)
    try:
        evidence = Path(suite.stack.home.root) / "journal"
        return await wait_for_rest(redis, database, seen.completed, evidence, deadline_s=rest_s)
    finally:
        await redis.aclose()
        await database.close()


def _kills(happened: Happened) -> int:
    """Return how many processes were killed: damage to the journal begins with killing its gateway."""
    return sum(count for (kind, whom), count in happened.items() if kind in KILLING and whom != NOBODY)


def _summary(seen: Seen) -> str:
    return (
        f"completed {len(seen.completed)}, refused {dict(seen.refused)}, broken {seen.broken}\n"
        f"by caller {dict(seen.by_caller)}; by another model {seen.fell_back}; stood in line {seen.waited}"
    )


def _table(happened: Happened) -> str:
    lines = ["event    total  whom"]
    for kind in Kind:
        hits = {whom: count for (each, whom), count in sorted(happened.items()) if each is kind}
        if hits:
            whom = ", ".join(f"{name} {count}" for name, count in hits.items())
            lines.append(f"{kind:8}{sum(hits.values()):6}  {whom}")
    return "\n".join(lines)


def _verdict(books: Books) -> str:
    budgets = books.budgets
    return (
        f"rows {books.rows}; completed answers without a row: kept as damaged or dead letters {len(books.kept)}, "
        f"unaccounted {len(books.missing)}; ids with two rows {len(books.doubled)}; holds left {books.open_holds}; "
        f"rollups {books.rollup_differences or 'agree'}\n"
        f"budget counters compared {dict(budgets.compared)}, {budgets.differences or 'equal to their rows'}; "
        f"hard limits overdrawn by {dict(budgets.overdrawn) or 'nothing'} micro-roubles\n"
        + ("THE BOOKS ARE RIGHT" if books.is_right else f"THE BOOKS ARE WRONG {books.missing[:5]}")
    )


if __name__ == "__main__":
    sys.exit(main())
