"""What Redis counts for budgets and watching caps at this moment, for those who look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.errors import name_of
from services.gateway.admission.dimensions import Dimension
from services.gateway.admission.keys import shadowed_key, state_key
from services.gateway.admission.periods import DAY_S
from services.gateway.admission.redis.conventions import WINDOW_SUFFIX

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Count:
    """What a counter says, in micro-roubles: what was spent in its period, and what running requests hold."""

    spent: int
    held: int


class RedisCounts:
    """Reads counters; the scripts of admission write them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def of_budgets(self, keys: Sequence[str]) -> dict[str, Count]:
        """Return the counters that there are, by their keys: none of a period in which nothing was asked yet."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hmget(key, ["u", "h"])
                found = await pipe.execute()
        except (RedisError, OSError) as exc:
            log.warning("admission.counts_away", error=name_of(exc))
            return {}
        return {key: Count(int(used), int(held or 0)) for key, (used, held) in zip(keys, found, strict=True) if used}

    async def of_quotas(self, owner: str, names: Sequence[tuple[str, Dimension]], now_s: int) -> dict[str, int]:
        """Return what was taken today of daily quotas, by their names; those that nobody has used yet are left out."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for name, dimension in names:
                    pipe.hmget(state_key(owner, name), [dimension.value, dimension.value + WINDOW_SUFFIX])
                found = await pipe.execute()
        except (RedisError, OSError) as exc:
            log.warning("admission.counts_away", error=name_of(exc))
            return {}
        today = now_s // DAY_S
        counts = zip(names, found, strict=True)
        return {name: int(count) for (name, _), (count, day) in counts if count and int(day or -1) == today}

    async def would_have_refused(self, owner: str, ids: Sequence[str]) -> dict[str, int]:
        """Return how many requests of an owner each of these caps would have refused, as far as Redis knows."""
        if not ids:
            return {}
        try:
            found = await self._redis.hmget(shadowed_key(owner), list(ids))
        except (RedisError, OSError) as exc:
            log.warning("admission.counts_away", error=name_of(exc))
            return {}
        return {id: int(count) for id, count in zip(ids, found, strict=True) if count}
