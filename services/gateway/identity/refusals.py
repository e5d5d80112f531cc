"""Who is refused, for what, and from where: counted for administrators, for all gateways together.

An answer that succeeds is never looked at. A refusal is an addition in memory; every two seconds what was added goes
to Redis, into sorted sets that keep the most refused subjects and expire: buckets of ten minutes for the last hour, of
an hour for the last day. A count is exact while its subject stays among the kept ones of each bucket, else a lower
bound. Nothing of a request is kept but ids, the address and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unavailable, name_of
from servicekit.fairness.hosts import host_of
from servicekit.redis import LOST
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity import metrics
from services.gateway.identity.authentication import client_address
from services.gateway.settings import Network

log = structlog.get_logger()

# One slot of a cluster, so that buckets can be added up there.
PREFIX: Final = "razvilka:gateway:{refused}"
FLUSH_EVERY_S: Final = 2.0
# Different subjects and reasons between two flushes; a flood from more addresses is counted as uncounted.
MOST_WAITING: Final = 5000
# In one pipeline: what the event loop does in a few milliseconds.
AT_ONCE: Final = 100
# Subjects that a bucket keeps: about 60 kB; with all buckets of all four views at most 8 MB.
KEPT: Final = 500
SUM_S: Final = 5


class By(StrEnum):
    """What refusals are counted by."""

    ACCOUNT = "account"
    KEY = "key"
    CLIENT = "client"
    ADDRESS = "address"


class Window(StrEnum):
    """How far back: the bucket under way and all that the time before it lies in."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class _Buckets:
    length_s: int
    number: int


BUCKETS: Final = {Window.HOUR: _Buckets(600, 7), Window.DAY: _Buckets(3600, 25)}


@dataclass(frozen=True, slots=True)
class Refused:
    """How often one subject was refused for one reason, an error code as callers see it."""

    subject: str
    reason: str
    refusals: int


class Refusals:
    """Counts, and tells."""

    def __init__(self, redis: Redis, clock: Clock, trusted: tuple[Network, ...]) -> None:
        self._redis = redis
        self._clock = clock
        self._trusted = trusted
        self._waiting: dict[tuple[By, str], int] = {}

    def note(self, context: RequestContext) -> None:
        """Count a request that was answered by an error of its caller."""
        for by, subject in self._subjects(context):
            entry = (by, f"{context.error_code}|{subject}")
            if entry in self._waiting or len(self._waiting) < MOST_WAITING:
                self._waiting[entry] = self._waiting.get(entry, 0) + 1
            else:
                metrics.REFUSALS_UNCOUNTED.inc()

    def _subjects(self, context: RequestContext) -> Iterator[tuple[By, str]]:
        address = client_address(context.scope, self._trusted)
        if address is not None:
            yield By.ADDRESS, host_of(address)
        caller = context.caller
        if caller is not None:
            yield By.ACCOUNT, caller.user_id
            if caller.key_id:
                yield By.KEY, caller.key_id
            if caller.client_id:
                yield By.CLIENT, caller.client_id

    async def run(self) -> None:
        """Bring what was counted to Redis, for ever."""
        while True:
            await self._clock.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Bring what was counted to Redis; without Redis it is forgotten."""
        waiting, self._waiting = self._waiting, {}
        entries = iter(waiting.items())
        try:
            while some := list(islice(entries, AT_ONCE)):
                await self._add(some)
        except LOST as exc:
            metrics.REFUSALS_UNCOUNTED.inc(sum(waiting.values()))
            log.warning("refusals.not_counted", error=name_of(exc))

    async def _add(self, entries: list[tuple[tuple[By, str], int]]) -> None:
        now_s = int(self._clock.now().timestamp())
        pipe = self._redis.pipeline(transaction=False)
        for window, buckets in BUCKETS.items():
            for (by, member), refusals in entries:
                pipe.zincrby(_key(by, window, now_s // buckets.length_s), refusals, member)
            for by in {by for (by, _), _ in entries}:
                key = _key(by, window, now_s // buckets.length_s)
                pipe.zremrangebyrank(key, 0, -(KEPT + 1))
                # After the last refusal of a bucket, which is up to its length younger than the first.
                pipe.expire(key, buckets.length_s * buckets.number)
        await pipe.execute()

    async def most(self, by: By, window: Window) -> list[Refused]:
        """Return all subjects that the buckets of a window keep, with their reasons, most refused first.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        buckets = BUCKETS[window]
        last = int(self._clock.now().timestamp()) // buckets.length_s
        keys = [_key(by, window, number) for number in range(last - buckets.number + 1, last + 1)]
        total = f"{PREFIX}:sum:{by}:{window}"
        # Whoever asks between these makes the same sum; no transaction, which the client of a cluster has not.
        pipe = self._redis.pipeline(transaction=False)
        pipe.zunionstore(total, keys)
        pipe.expire(total, SUM_S)
        # All of them: whoever asks for one subject or reason finds it, however many are refused more often.
        pipe.zrevrange(total, 0, -1, withscores=True)
        try:
            found = (await pipe.execute())[-1]
        except LOST as exc:
            raise Unavailable(ErrorReason.CACHE_ERROR, "Refusals cannot be looked up now.", retry_after_s=1.0) from exc
        return [_refused(member, score) for member, score in found]


def _key(by: By, window: Window, number: int) -> str:
    return f"{PREFIX}:{by}:{window}:{number}"


def _refused(member: bytes | str, score: float) -> Refused:
    reason, _, subject = (member if isinstance(member, str) else member.decode()).partition("|")
    return Refused(subject, reason, int(score))
