"""Synchronises replicas: one atomic script in Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import msgspec
from redis.asyncio import Redis

from servicekit.clock import LEASES_DIFFER_MS
from servicekit.once.repeating import may_repeat
from servicekit.redis import LOST
from services.router.slots.wire import Heard, Told, heard_from

CHANNEL: Final = "router:slots"
_SCRIPT: Final = f"local LEASES_DIFFER_MS = {LEASES_DIFFER_MS}\n" + Path(__file__).with_name("exchange.lua").read_text(
    encoding="utf-8"
)
_PARTS: Final = ("state", "waiting", "tickets", "users", "replicas", "mail")


class ExchangeLost(Exception):
    """Redis did not answer."""


class Exchange(Protocol):
    """The interface by which replicas synchronise their queues."""

    async def tell(self, line: str, told: Told) -> Heard:
        """Return the line's answer.

        Raises:
            ExchangeLost: there is none; the statement may have counted.
        """
        ...


class RedisExchange:
    """The queues in Redis."""

    def __init__(self, client: Redis) -> None:
        self._script = client.register_script(_SCRIPT)

    async def tell(self, line: str, told: Told) -> Heard:
        """Return the line's answer.

        Raises:
            ExchangeLost: there is none; the statement may have counted.
        """
        keys = [f"router:slots:{{{line}}}:{part}" for part in _PARTS]
        try:
            # Made twice, a statement does no harm: what was given lies there until it is acknowledged.
            with may_repeat():
                said = await self._script(keys=keys, args=[msgspec.json.encode(told), CHANNEL, line])
        except LOST as exc:
            raise ExchangeLost(type(exc).__name__) from exc
        return heard_from(said)
