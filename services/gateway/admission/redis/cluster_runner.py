"""Runs scripts on a Redis Cluster: one `ScriptRunner` for each primary, and a table of who has which slot.

Each server has a clock, a circuit and a connection of its own: one that is lost takes only its slots along. The table
is asked for anew when a server is lost, and mended by what servers say of slots that they have not any more. A slot
that is on its way is waited for: nothing is asked of the server that it goes to before that is its owner, so whoever
moves slots finds every key where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.asyncio import Connection
from redis.asyncio.cluster import ClusterNode
from redis.crc import key_slot

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.lifecycle import Background
from servicekit.redis import LOST
from servicekit.rediscluster.client import ClusterClient
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.redis.running import RedisLost, SlotElsewhere, SlotMoving
from services.gateway.admission.redis.script_runner import ScriptRunner
from services.gateway.admission.redis.scripts import IN_CLUSTER, Script

log = structlog.get_logger()

SLOTS: Final = 16_384
# How often the table is asked for when nothing is wrong, and at most when something is.
ASK_EVERY_S: Final = 10.0
FIRST_TABLE_S: Final = 2.0
ASK_AGAIN_S: Final = 0.2
# Between two tries while a slot is on its way.
TRY_AGAIN_S: Final = 0.01
MOST_REDIRECTIONS: Final = 5

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Primary:
    """One server that has slots."""

    runner: ScriptRunner
    time: RedisTime
    serving: asyncio.Task[None]


class ClusterRunner:
    """Finds the server of a key and has the script run there."""

    is_cluster: Final = True

    def __init__(
        self,
        client: ClusterClient,
        new_breaker: Callable[[], Breaker],
        clock: Clock,
        owner: Background,
        *,
        timeout_s: float,
    ) -> None:
        self._client = client
        self._new_breaker = new_breaker
        self._clock = clock
        self._owner = owner
        self._timeout_s = timeout_s
        self._primaries: dict[Address, Primary] = {}
        self._slots: list[Address | None] = [None] * SLOTS
        self._is_known = asyncio.Event()
        self._was_asked = asyncio.Event()
        self._is_stale = asyncio.Event()
        self._nobodys_time = RedisTime(clock)

    @property
    def is_degraded(self) -> bool:
        """Tell whether some primary is not asked for now."""
        return any(each.runner.is_degraded for each in self._primaries.values())

    def time_of(self, key: str) -> RedisTime:
        """Return the clock of the server that has the key; the wall clock's while nobody is known to have it."""
        primary = self._primary_of(key_slot(key.encode()))
        return self._nobodys_time if primary is None else primary.time

    async def run(self, script: Script, key: str, payload: bytes, *, within_s: float = 0.0) -> Any:
        """Return the script's answer from the server that has the key; see `ScriptRunner.run`.

        Raises:
            RedisLost: no answer.
        """
        loop, redirections = asyncio.get_running_loop(), 0
        give_up_at, slot = loop.time() + self._timeout_s, key_slot(key.encode())
        while True:
            primary = self._primary_of(slot) or await self._found(slot)
            try:
                return await primary.runner.run(IN_CLUSTER[script.name], key, payload, within_s=within_s)
            except SlotElsewhere as exc:
                redirections += 1
                if redirections > MOST_REDIRECTIONS:
                    raise
                self._slots[slot] = self._met((exc.host, exc.port))
            except SlotMoving:
                if loop.time() > give_up_at:
                    raise
                await asyncio.sleep(TRY_AGAIN_S)
            except RedisLost:
                self._is_stale.set()
                raise

    async def probe(self) -> None:
        """Find out whether servers that were lost are back when nobody else asks."""
        for primary in list(self._primaries.values()):
            await primary.runner.probe()

    async def serve(self) -> None:
        """Keep the table of slots, for ever; cancel it to stop."""
        while True:
            self._is_stale.clear()
            try:
                self._take(await self._client.execute_command("CLUSTER SLOTS"))
            except LOST as exc:
                log.debug("admission.slots_unknown", error=name_of(exc))
                self._is_stale.set()
            self._was_asked.set()
            await asyncio.sleep(ASK_AGAIN_S)
            try:
                async with asyncio.timeout(ASK_EVERY_S):
                    await self._is_stale.wait()
            except TimeoutError:
                pass

    def _take(self, told: dict[tuple[int, int], dict[str, Any]]) -> None:
        """Believe who has which slots, and forget servers that have none."""
        owners: list[Address | None] = [None] * SLOTS
        for (first, last), servers in told.items():
            host, port = servers["primary"][:2]
            owners[first : last + 1] = [self._met((_text(host), int(port)))] * (last + 1 - first)
        self._slots = owners
        for address in self._primaries.keys() - set(owners):
            self._primaries.pop(address).serving.cancel()
        self._is_known.set()

    def _met(self, address: Address) -> Address:
        """Have a server ready to be asked."""
        if address not in self._primaries:
            node, time = ClusterNode(*address, **self._client.connection_kwargs), RedisTime(self._clock)
            runner = ScriptRunner(lambda: _connection_to(node), self._new_breaker(), time, timeout_s=self._timeout_s)
            serving = self._owner.keep(runner.serve, name="admission.primary")
            self._primaries[address] = Primary(runner, time, serving)
        return address

    def _primary_of(self, slot: int) -> Primary | None:
        address = self._slots[slot]
        return None if address is None else self._primaries.get(address)

    async def _found(self, slot: int) -> Primary:
        """Wait for the first table; a slot that nobody has then is lost."""
        self._is_stale.set()
        # Whoever comes while a gateway asks for the first time waits for that, connections and all.
        is_first = not self._was_asked.is_set()
        try:
            async with asyncio.timeout(FIRST_TABLE_S if is_first else self._timeout_s):
                await (self._was_asked if is_first else self._is_known).wait()
        except TimeoutError:
            raise RedisLost("no server of the cluster has said yet who has which slots") from None
        primary = self._primary_of(slot)
        if primary is None:
            raise RedisLost(f"no server of the cluster has slot {slot}")
        return primary


def _connection_to(node: ClusterNode) -> Connection:
    return node.connection_class(**node.connection_kwargs)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
