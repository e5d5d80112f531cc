"""How many gateways share the limits: each registers in Redis; the last count is remembered when Redis is gone."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.redis import LOST

log = structlog.get_logger()

KEY = "gw:replicas"
# Also how soon a gateway without requests in hand notices that Redis lost its data.
BEAT_S = 1.0
GONE_AFTER_S = 20


class Replicas:
    """This gateway's heartbeat and the number of all of them."""

    def __init__(
        self, client: Redis, clock: Clock, *, boot_id: str, fixed: int = 0, on_data_lost: Callable[[], None]
    ) -> None:
        self._client = client
        self._clock = clock
        self._boot_id = boot_id
        self._fixed = fixed
        self._on_data_lost = on_data_lost
        self._seen = 1
        self._registered_until = 0.0

    def count(self) -> int:
        """Return the setting, or how many were alive when Redis last answered."""
        return self._fixed or self._seen

    async def serve(self) -> None:
        """Beat, for ever; cancel it to stop."""
        while True:
            await self.beat()
            await self._clock.sleep(BEAT_S)

    async def beat(self) -> None:
        """Say that this gateway lives and count the others; a lost Redis changes nothing."""
        try:
            seconds, _ = await self._client.time()
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.zadd(KEY, {self._boot_id: seconds + GONE_AFTER_S})
                pipe.zremrangebyscore(KEY, "-inf", seconds)
                pipe.zcard(KEY)
                answers = await pipe.execute()
        except LOST as exc:
            log.debug("admission.heartbeat_missed", error=name_of(exc))
        else:
            self._seen = max(1, int(answers[-1]))
            is_new, registered = bool(answers[0]), seconds < self._registered_until
            self._registered_until = seconds + GONE_AFTER_S
            if is_new and registered:
                # This gateway stood there and does not any more: Redis was flushed, or came back empty.
                log.warning("admission.redis_lost_its_data")
                self._on_data_lost()

    async def leave(self) -> None:
        """Take this gateway out of the count."""
        try:
            await self._client.zrem(KEY, self._boot_id)
        except LOST as exc:
            log.debug("admission.leave_missed", error=name_of(exc))
