"""Buckets that all gateways share, apart from the limits of users; without Redis each gateway has its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.redis import LOST
from services.gateway.admission.degraded.token_buckets import TokenBuckets
from services.gateway.admission.periods import MICROSECONDS
from services.gateway.admission.redis.scripts import TAKE
from services.gateway.admission.wire import TakeCall, pack

log = structlog.get_logger()

LOCAL_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether one unit was taken (`wait_s` is 0) or how long to wait, and who counted."""

    wait_s: float
    limiter: Literal["redis", "local"]


class SharedBuckets:
    """Buckets by name: the GCRA of `admit.lua`; in memory while Redis is lost, with half of each limit."""

    def __init__(self, client: Redis, clock: Clock, *, prefix: str) -> None:
        self._script = client.register_script(TAKE.body)
        self._local = TokenBuckets(clock)
        self._prefix = prefix

    async def take(self, name: str, *, limit: int, window_s: int) -> Taken:
        """Take one unit of a bucket of `limit` that refills in `window_s`, if one is there. It never raises."""
        share = max(1, int(limit * LOCAL_SHARE))
        try:
            call = TakeCall(limit, window_s * MICROSECONDS)
            wait_us = await self._script(keys=[self._prefix + name], args=[pack(call)])
        except LOST as exc:
            log.warning("admission.buckets_without_redis", error=name_of(exc))
            return Taken(self._local.try_take(name, limit=share, window_s=window_s), "local")
        if not wait_us:
            # When Redis goes, what it granted here is not granted once more.
            self._local.take(name, limit=share, window_s=window_s)
        return Taken(int(wait_us) / MICROSECONDS, "redis")
