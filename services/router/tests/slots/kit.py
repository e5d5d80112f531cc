"""Lines of several replicas in one process, on one Redis or on none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from servicekit import lifecycle
from servicekit.clock import SystemClock
from services.router.slots.asker import Asker
from services.router.slots.exchange import Exchange, ExchangeLost, RedisExchange
from services.router.slots.line import SlotLine
from services.router.slots.lines import SlotLines, listen
from services.router.slots.quota import Quota, Slot
from services.router.slots.settings import SlotSettings
from services.router.slots.wire import Heard, Told

NAME = "yandexgpt"
# How long a test waits for what must come; reached only when it does not.
PATIENCE_S = 60.0


@dataclass(slots=True)
class Exchanges:
    """Passes statements on, counts them, and loses them while the test wants."""

    inner: Exchange
    are_lost: bool = False
    told: list[Told] = field(default_factory=list)

    async def tell(self, line: str, told: Told) -> Heard:
        try:
            if self.are_lost:
                raise ExchangeLost("the test's")
            return await self.inner.tell(line, told)
        finally:
            # Now the line has it.
            self.told.append(told)


@dataclass(slots=True)
class Replica:
    """One router's line."""

    line: SlotLine
    lines: SlotLines
    exchanges: Exchanges

    async def take(
        self,
        user: str = "u",
        tier: str = "free",
        within_s: float | None = PATIENCE_S,
        avoided: tuple[str, ...] = (),
    ) -> Slot:
        until = None if within_s is None else SystemClock().monotonic() + within_s
        return await self.line.take(Asker(user, tier), until, avoided=avoided)

    async def until_told(self, count: int) -> None:
        """Return when so many of this replica's tickets have been told, those that were served included."""
        await until(lambda: sum(len(told.joined) for told in self.exchanges.told) >= count)


@asynccontextmanager
async def replicas(
    client: Redis, count: int, quota: Quota, settings: SlotSettings | None = None
) -> AsyncIterator[list[Replica]]:
    """Yield replicas of one line; on leaving they give everything back."""
    async with lifecycle.background() as tasks:
        made = [_replica(client, tasks, quota, settings or SlotSettings(rest_s=0.0)) for _ in range(count)]
        for each in made:
            tasks.start(listen(client, each.lines, SystemClock()), name="listen")
        yield made
    for each in made:
        await each.lines.leave()


def _replica(client: Redis, tasks: lifecycle.Background, quota: Quota, settings: SlotSettings) -> Replica:
    exchanges = Exchanges(RedisExchange(client))
    lines = SlotLines(exchanges, tasks, SystemClock(), settings)
    line = lines.line(NAME, quota)
    assert line is not None
    return Replica(line, lines, exchanges)


async def until(is_so: Callable[[], bool]) -> None:
    """Return when something has become so."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.005)
