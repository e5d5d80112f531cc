"""Looks through the holds of all users in Redis: for recovery, for billing those that expired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import msgspec
import structlog
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Unavailable
from servicekit.redis import LOST
from servicekit.rediscluster.client import ClusterClient
from services.gateway.admission.keys import (
    HOLDS_PATTERN,
    ORGANIZATION_SUBJECT,
    SHARED_HOLDS_PATTERN,
    details_key,
    kept_bill_key,
    user_of_holds,
)
from services.gateway.admission.wire import read_hold
from services.gateway.metering.hold import Hold, Ticket, decode_facts

log = structlog.get_logger()

SCAN_COUNT: Final = 1000
PAGE: Final = 500


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except LOST as exc:
        raise Unavailable(ErrorReason.CACHE_ERROR, "Redis does not say what is held.") from exc


class Holds:
    """Holds as they are in Redis now. SCAN needs no index that could be lost or grow stale."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def expired(self, *, older_than_s: float) -> AsyncIterator[Hold]:
        """Yield holds whose owner stopped renewing them so long ago.

        Raises:
            Unavailable: Redis is lost; try again later.
        """
        with _redis_errors():
            seconds, _ = await self._client.time()
        async for hold in self._until(f"{int((seconds - older_than_s) * 1e6)}"):
            yield hold

    async def all(self) -> AsyncIterator[Hold]:
        """Yield every hold.

        Raises:
            Unavailable: Redis is lost; try again later.
        """
        async for hold in self._until("+inf"):
            yield hold

    async def forsaken(self, *, older_than_s: float) -> AsyncIterator[Ticket]:
        """Yield organizations' halves of requests that have no other one, and whose owner stopped renewing them.

        There are some in a cluster only: a gateway was killed between two halves.

        Raises:
            Unavailable: Redis is lost; try again later.
        """
        if not isinstance(self._client, ClusterClient):
            return
        with _redis_errors():
            seconds, _ = await self._client.time()
            async for owner, due in self._pages(f"{int((seconds - older_than_s) * 1e6)}", SHARED_HOLDS_PATTERN):
                for request_id, expires_at_us, raw in await self._read_page(owner, due):
                    member = _member(raw, request_id)
                    if member and not await _call(self._client.hexists(details_key(member), request_id)):
                        yield Ticket(owner, request_id, expires_at_us)

    async def kept_bill(self, user_id: str, request_id: str) -> bytes | None:
        """Return what was kept together with the answer of a request that has an idempotency key.

        Raises:
            Unavailable: Redis is lost; try again later.
        """
        with _redis_errors():
            found = await self._client.get(kept_bill_key(user_id, request_id))
        return found if isinstance(found, bytes) else None

    async def _until(self, latest: str) -> AsyncIterator[Hold]:
        with _redis_errors():
            async for hold in self._scan(latest):
                yield hold

    async def _scan(self, latest: str) -> AsyncIterator[Hold]:
        async for owner, due in self._pages(latest, HOLDS_PATTERN):
            if owner.startswith(ORGANIZATION_SUBJECT):
                continue  # a half: whose request it is has the other one, with its facts
            for request_id, expires_at_us, raw in await self._read_page(owner, due):
                hold = self._read(owner, request_id, expires_at_us, raw)
                if hold is not None:
                    yield hold

    async def _pages(self, latest: str, pattern: str) -> AsyncIterator[tuple[str, list[tuple[bytes, float]]]]:
        """Yield owners with requests whose holds end by `latest`, so many at once as are looked at together."""
        async for key in self._client.scan_iter(match=pattern, count=SCAN_COUNT, _type="zset"):
            name = key.decode() if isinstance(key, bytes) else str(key)
            async for due in self._due(name, latest):
                yield user_of_holds(name), due

    async def _due(self, name: str, latest: str) -> AsyncIterator[list[tuple[bytes, float]]]:
        """Yield an owner's requests by their ends, a page with a question: all of them at once hold up everybody.

        A page begins with the end of the last one, which others may have, too; what is settled meanwhile moves none.
        """
        least, seen = "-inf", set[bytes]()
        while True:
            found: list[tuple[bytes, float]] = cast(
                Any, await self._client.zrangebyscore(name, least, latest, 0, PAGE + len(seen), withscores=True)
            )
            due = [each for each in found if each[0] not in seen]
            if not due:
                return
            yield due
            ends = due[-1][1]
            seen = {id for id, end in found if end == ends}
            least = repr(ends)

    async def _read_page(self, owner: str, due: list[tuple[bytes, float]]) -> list[tuple[str, int, bytes]]:
        """Return id, end and details of those that were not settled between the two reads."""
        ids = [request_id for request_id, _ in due]
        details: list[bytes | None] = await _call(self._client.hmget(details_key(owner), ids))
        found = zip(due, details, strict=True)
        return [(id.decode(), int(expires_at_us), raw) for (id, expires_at_us), raw in found if raw is not None]

    @staticmethod
    def _read(user_id: str, request_id: str, expires_at_us: int, raw: bytes) -> Hold | None:
        try:
            kept = read_hold(raw)
            return Hold(user_id, request_id, expires_at_us, decode_facts(kept.facts), kept.elsewhere)
        except msgspec.DecodeError as exc:
            log.error("admission.hold_unreadable", request_id=request_id, error=str(exc))
            return None


def _member(raw: bytes, request_id: str) -> str:
    """Return whose request an organization's half is of; empty: it says nothing that can be read."""
    try:
        return read_hold(raw).member
    except msgspec.DecodeError as exc:
        log.error("admission.hold_unreadable", request_id=request_id, error=str(exc))
        return ""


async def _call(answer: Any) -> Any:
    """Await an answer that redis-py's types call one or the other kind of."""
    return await answer
