"""All queues of this router, and what wakes them."""

from __future__ import annotations

import secrets
from contextlib import aclosing
from typing import Final, Protocol

import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.lifecycle import Background
from servicekit.redis import LOST, published
from services.router.slots.exchange import CHANNEL, Exchange
from services.router.slots.line import SlotLine
from services.router.slots.quota import Quota
from services.router.slots.settings import SlotSettings

log = structlog.get_logger()

POLL_S: Final = 5.0
RECONNECT_S: Final = 1.0


class SlotLines:
    """The queues by name; a queue is created with its provider, and survives a change of the provider's key."""

    def __init__(self, exchange: Exchange, tasks: Background, clock: Clock, settings: SlotSettings) -> None:
        self._exchange = exchange
        self._tasks = tasks
        self._clock = clock
        self._settings = settings
        # A name of this process only: a router that was started anew is another one.
        self._replica = secrets.token_hex(6)
        self._lines: dict[str, SlotLine] = {}

    def line(self, name: str, quota: Quota) -> SlotLine | None:
        """Return the line of a quota; None: under one of its credentials there is no limit to wait for."""
        if not all(quota.limits.values()):
            return None
        line = self._lines.get(name)
        if line is None:
            line = SlotLine(name, self._replica, quota, self._exchange, self._clock, self._settings)
            self._lines[name] = line
            self._tasks.keep(line.serve, name=f"slots.{name}")
        elif line.quota != quota:
            line.change(quota)
        return line

    def hear(self, message: str) -> None:
        """Tell a line what was published: its name, and whom it concerns."""
        name, _, whom = message.rpartition(" ")
        line = self._lines.get(name)
        if line is not None:
            line.hear(whom)

    def look(self) -> None:
        """Have every line ask what it has missed."""
        for line in self._lines.values():
            line.look()

    async def leave(self) -> None:
        """Give every slot back, for good."""
        for line in self._lines.values():
            await line.leave()


class Hears(Protocol):
    """A receiver of published messages."""

    def hear(self, message: str) -> None:
        """Take a message."""
        ...

    def look(self) -> None:
        """Messages may have been missed."""
        ...


async def listen(client: Redis, lines: Hears, clock: Clock) -> None:
    """Hear what the lines in Redis publish, for ever; cancel it to stop."""
    while True:
        try:
            await _listen(client, lines)
        except LOST as exc:
            log.debug("router.slots_unheard", error=name_of(exc))
        await clock.sleep(RECONNECT_S)


async def _listen(client: Redis, lines: Hears) -> None:
    async with aclosing(published(client, CHANNEL, poll_s=POLL_S)) as messages:
        async for message in messages:
            if message is None:
                lines.look()
            else:
                lines.hear(message.decode())
