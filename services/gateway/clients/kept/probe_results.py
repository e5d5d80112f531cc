"""How the last probe of each version went, in Redis, where every gateway sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unavailable, name_of
from servicekit.redis import LOST

log = structlog.get_logger()

KEY: Final = "gw:probes"
# Of probes that were due and not made: then it is not known any more how the version is.
ROUNDS: Final = 3
# Who looks may remember for half a minute what was found: nothing is forgotten sooner than that.
LEAST_S: Final = 60


class LastProbe(msgspec.Struct, frozen=True):
    """The last probe of a version; `outcome`: answered, failed or refused."""

    at: datetime
    outcome: str
    first_token_ms: int | None


class ProbeResults:
    """Keeps them for three rounds of `every_s`, and a minute at least."""

    def __init__(self, client: Redis, clock: Clock, *, every_s: float) -> None:
        self._client = client
        self._clock = clock
        self._kept_s = max(LEAST_S, round(ROUNDS * every_s))

    async def keep(self, model: str, outcome: str, first_token_s: float | None) -> None:
        """Note how a probe went. Never raises: what Redis does not hear, nobody sees."""
        first_ms = None if first_token_s is None else round(first_token_s * 1000)
        last = msgspec.json.encode(LastProbe(self._clock.now(), outcome, first_ms))
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.hset(KEY, model, last)
                pipeline.expire(KEY, self._kept_s)
                await pipeline.execute()
        except LOST as exc:
            log.debug("probes.not_kept", error=name_of(exc))

    async def last(self) -> dict[str, LastProbe]:
        """Return the last probe of each version that was probed lately, by its model.

        Raises:
            Unavailable: Redis cannot say.
        """
        try:
            found = await self._client.hgetall(KEY)
        except LOST as exc:
            raise Unavailable(ErrorReason.CACHE_ERROR, "Redis cannot tell how probes went.") from exc
        kept = {_text(model): _read(value) for model, value in found.items()}
        oldest = self._clock.now().timestamp() - self._kept_s
        return {model: last for model, last in kept.items() if last and last.at.timestamp() >= oldest}


def _read(value: bytes | str) -> LastProbe | None:
    """Return a probe; None: a gateway of another version noted it."""
    try:
        return msgspec.json.decode(value, type=LastProbe)
    except msgspec.DecodeError:
        return None


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
