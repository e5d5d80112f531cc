"""`make queue`: three routers at the providers' real quotas, 200 callers of 20 users; prints a table."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Final

from emulator.testing import RunningEmulator, running_emulator
from servicekit import lifecycle, redis
from servicekit.clock import SystemClock
from servicekit.multiplex import MultiplexClient
from servicekit.settings import RedisSettings
from services.router.providers.registry import SECOND_S
from services.router.slots.asker import Asker
from services.router.slots.exchange import RedisExchange
from services.router.slots.lines import SlotLines
from services.router.slots.quota import Quota
from services.router.slots.settings import SlotSettings
from tools.queue.figures import Fairness, fairness
from tools.queue.load import Scenario, opened, run
from tools.queue.routers import running_routers
from tools.testing.found_servers import found_redis
from tools.testing.throwaway import session_folder

ROUTERS: Final = 3
EQUAL: Final = [10] * 20
GREEDY: Final = [105] + [5] * 19
# By the slots of the provider's quota.
SCENARIOS: Final = (
    (10, Scenario("YandexGPT, 10 at once", EQUAL, "yandexgpt-5.1", latency_ms=300)),
    (10, Scenario("YandexGPT, 10 at once, one user has 105 callers", GREEDY, "yandexgpt-5.1", latency_ms=300)),
    (1, Scenario("GigaChat, 1 at once", EQUAL, "gigachat", latency_ms=50)),
    (1, Scenario("GigaChat, 1 at once, one user has 105 callers", GREEDY, "gigachat", latency_ms=50)),
    (10, Scenario("Yandex embeddings, 10 a second", EQUAL, "", period_s=SECOND_S)),
)
HEAD: Final = (
    "| quota | calls | refused to callers | refused by the provider | longest wait | mean waits of users "
    "| most turns, fair = 1 | most time, fair = 1 | seconds |\n|---|---|---|---|---|---|---|---|---|"
)
QUIET_CALLS: Final = 20_000


def main() -> None:
    """Run all scenarios and print what was seen."""
    parser = argparse.ArgumentParser(prog="make queue", description=__doc__)
    parser.add_argument("--only", default="", help="run only the scenarios whose name has this text")
    asyncio.run(_measured(parser.parse_args().only))


async def _measured(only: str) -> None:
    with session_folder() as folder, found_redis(folder) as redis_url:
        async with (
            running_emulator() as emulator,
            running_routers(ROUTERS, emulator, redis_url) as ports,
            opened(ports) as routers,
        ):
            print(HEAD)
            for slots, scenario in SCENARIOS:
                if only in scenario.name:
                    print(await _row(emulator, routers, scenario, slots), flush=True)
        print(await _quiet_cost(redis_url))


async def _row(emulator: RunningEmulator, routers: Sequence[MultiplexClient], scenario: Scenario, slots: int) -> str:
    await emulator.control.reset()
    calls = await run(routers, scenario)
    refused = sum(entry["status"] == 429 for entry in await emulator.control.ground_truth())
    return _shown(scenario.name, fairness(calls, slots, scenario.period_s), refused)


def _shown(name: str, seen: Fairness, refused: int) -> str:
    waits = f"{seen.waits_s[0]:.1f} to {seen.waits_s[-1]:.1f} s"
    return (
        f"| {name} | {seen.calls} | {seen.refused} | {refused} | {seen.longest_s:.1f} s | {waits} "
        f"| {seen.most_by_turns:.2f} | {seen.most_by_time:.2f} | {seen.seconds:.1f} |"
    )


async def _quiet_cost(redis_url: str) -> str:
    """Return what a slot costs when nobody waits."""
    async with redis.open_redis(RedisSettings(url=redis_url)) as client, lifecycle.background() as tasks:
        lines = SlotLines(RedisExchange(client), tasks, SystemClock(), SlotSettings())
        line = lines.line("quiet", Quota({"folder": 10}))
        assert line is not None
        before = time.monotonic()
        first = await line.take(Asker("u", "free"), None)
        hop_ms = (time.monotonic() - before) * 1000
        first.release()
        await asyncio.sleep(0.1)
        began = time.process_time()
        for _ in range(QUIET_CALLS):
            (await line.take(Asker("u", "free"), None)).release()
        cost_us = (time.process_time() - began) / QUIET_CALLS * 1e6
        await lines.leave()
    return f"\nA slot that a router keeps: {cost_us:.1f} us of CPU, no round trip. The first one: {hop_ms:.2f} ms."


if __name__ == "__main__":
    main()
