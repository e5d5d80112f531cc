"""Remembers which DPoP proofs were used: in Redis for all gateways, and here for as long as Redis is lost."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.once.single_use import Claims
from servicekit.redis import LOST
from servicekit.trust.dpop import REPLAY_WINDOW_S, Proof

log = structlog.get_logger()

USED: Final = "razvilka:gateway:dpop:"
MAX_ENTRIES: Final = 50_000


class UsedProofs:
    """Proofs that were used, until their time is over anyway."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._claims = Claims(redis)
        self._clock = clock
        self._here: OrderedDict[str, float] = OrderedDict()

    async def use(self, proof: Proof) -> bool:
        """Use a proof; tell whether it is the first time. Without Redis only this gateway's own uses are known."""
        key, now = proof.replay_key, self._clock.monotonic()
        if self._here.get(key, 0.0) > now:
            return False
        if len(self._here) >= MAX_ENTRIES:
            self._here.popitem(last=False)
        self._here[key] = now + REPLAY_WINDOW_S
        try:
            return await self._claims.claim(USED + key, ttl_s=REPLAY_WINDOW_S)
        except LOST as exc:
            log.warning("dpop.replays_known_here_only", error=name_of(exc))
            return True
