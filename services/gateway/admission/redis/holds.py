"""Looks through the holds of all users in Redis: for recovery, for billing those that expired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.admission.keys import HOLDS_PATTERN, details_key, kept_bill_key, user_of_holds
from services.gateway.admission.wire import read_hold
from services.gateway.metering.hold import Hold, decode_facts

log = structlog.get_logger()

SCAN_COUNT: Final = 1000
PAGE: Final = 500


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as exc:
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
        async for key in self._client.scan_iter(match=HOLDS_PATTERN, count=SCAN_COUNT, _type="zset"):
            name = key.decode() if isinstance(key, bytes) else str(key)
            user_id = user_of_holds(name)
            due: list[tuple[bytes, float]] = cast(
                Any, await self._client.zrangebyscore(name, "-inf", latest, withscores=True)
            )
            for at in range(0, len(due), PAGE):
                async for hold in self._details(user_id, due[at : at + PAGE]):
                    yield hold

    async def _details(self, user_id: str, due: list[tuple[bytes, float]]) -> AsyncIterator[Hold]:
        ids = [request_id for request_id, _ in due]
        details: list[bytes | None] = cast(Any, await self._client.hmget(details_key(user_id), ids))
        for (request_id, expires_at_us), raw in zip(due, details, strict=True):
            hold = self._read(user_id, request_id.decode(), int(expires_at_us), raw)
            if hold is not None:
                yield hold

    @staticmethod
    def _read(user_id: str, request_id: str, expires_at_us: int, raw: bytes | None) -> Hold | None:
        if raw is None:
            return None  # settled between the two reads
        try:
            return Hold(user_id, request_id, expires_at_us, decode_facts(read_hold(raw).facts))
        except msgspec.DecodeError as exc:
            log.error("admission.hold_unreadable", request_id=request_id, error=str(exc))
            return None
