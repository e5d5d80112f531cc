"""`make cluster-proof`, `make sentinel-proof`: change Redis under load; exit 1 when a caller noticed."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import aiohttp

from tools.accounts.demo import Demo
from tools.chaos.accounts import Books
from tools.chaos.callers import make_callers
from tools.redis_proof.changes import changes_of
from tools.rolling_restart.load import Load, Seen
from tools.rolling_restart.proof import add_load_options, books_of, concluded
from tools.stack.home import Home
from tools.stack.redis_kinds import RedisKind, RedisServers, nobody_is_at_the_suites_own, running_redis
from tools.stack.throwaway import Suite, running_suite

# What a dying server takes along is set right by reconciliation and reaper, which this will not wait minutes for.
QUICK: Final = {"GATEWAY_ADMISSION_RECONCILE_EVERY_S": "5", "GATEWAY_METERING_REAP_EVERY_S": "1"}
WIDE_RUB: Final = "1000000"
BUDGETS_KNOWN_S: Final = 6.0
TOKEN_EVERY_S: Final = 0.5


def main() -> int:
    """Return 0 when no request failed and the books are right."""
    parser = argparse.ArgumentParser(prog="make cluster-proof", description=__doc__)
    parser.add_argument("kind", type=RedisKind, choices=list(RedisKind))
    add_load_options(parser, rate=20.0, streams=5, settle_s=5.0)
    arguments = parser.parse_args()
    if arguments.rate <= 0 or arguments.streams < 0:
        parser.error("--rate must be above 0, --streams not below 0")
    root = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / f"{arguments.kind}-proof"
    with (
        running_redis(Home(root.resolve()), arguments.kind) as servers,
        running_suite(root, {**QUICK, **servers.environment}) as suite,
    ):
        seen, tokens, books = asyncio.run(_prove(suite, servers, arguments))
        nobody_is_at_the_suites_own(suite.stack)
    print(f"tokens asked for meanwhile, by status: {dict(tokens)}")
    return concluded(seen, books)


async def _prove(
    suite: Suite, servers: RedisServers, arguments: argparse.Namespace
) -> tuple[Seen, Counter[int], Books]:
    callers = await make_callers(suite.stack.auth, suite.demo, tight_rub=WIDE_RUB)
    # An application's token ends meanwhile.
    keys = [each.authorization.removeprefix("Bearer ") for each in callers if each.application is None]
    await asyncio.sleep(BUDGETS_KNOWN_S)
    load, stop = Load(suite.demo.url, *keys, rate=arguments.rate, streams=arguments.streams), asyncio.Event()
    tokens: Counter[int] = Counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(stop))
        tasks.create_task(_ask_for_tokens(suite.demo, tokens, stop))
        await _change_everything(servers, load.seen, arguments.settle)
        stop.set()
    books = await books_of(suite.stack, load.seen, arguments.rest, journals="journal")
    return load.seen, tokens, books


async def _change_everything(servers: RedisServers, seen: Seen, settle_s: float) -> None:
    await asyncio.sleep(settle_s)
    for change in changes_of(servers.servers):
        what = await asyncio.to_thread(change.happen)
        await asyncio.sleep(settle_s)
        print(f"{change.name}: {what}; answered {len(seen.completed)}, failed {len(seen.failed)}", flush=True)


async def _ask_for_tokens(demo: Demo, statuses: Counter[int], stop: asyncio.Event) -> None:
    """Have an application ask for tokens, which auth counts in Redis: there nothing can stand in for it."""
    login = aiohttp.encode_basic_auth(demo.confidential_client_id, demo.confidential_client_secret)
    form = {"grant_type": "client_credentials", "scope": "models:read"}
    async with aiohttp.ClientSession(headers={"authorization": login}) as session:
        while not stop.is_set():
            async with session.post(f"{demo.url}/token", data=form) as answer:
                statuses[answer.status] += 1
            await asyncio.sleep(TOKEN_EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
