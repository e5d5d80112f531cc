"""A client of a real Redis, on whose way back an answer gets lost when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from redis.asyncio import Redis

from servicekit.redis import open_redis
from servicekit.settings import RedisSettings
from servicekit.testing.relay import Relay

# No answer is late here, however busy the machine is: those that are lost are known to be.
PATIENT_MS: Final = 30_000
# A script is loaded after this and asked again; neither this answer nor the next tells of anything done.
NOT_LOADED: Final = b"-NOSCRIPT"


@dataclass(slots=True)
class LossyRedis:
    """A client as services have it; what it asked is done though the answer is lost."""

    client: Redis
    _lost: set[int] = field(default_factory=set)
    _answers: int = 0
    _is_loading: bool = False

    async def lose_next_answer(self) -> None:
        """Cut the connection in place of the next answer that tells of something done; there is a connection then."""
        await self.client.get("nothing")
        self._lost.add(self._answers + 1)

    def is_lost(self, answer: bytes) -> bool:
        """Count an answer; tell whether it is one of those that get lost."""
        was_loaded, self._is_loading = self._is_loading, answer.startswith(NOT_LOADED)
        if was_loaded or self._is_loading:
            return False
        self._answers += 1
        return self._answers in self._lost


@asynccontextmanager
async def lossy_redis(url: str) -> AsyncIterator[LossyRedis]:
    """Yield a client of the server at `url` behind a relay."""
    there = urlsplit(url)
    lossy = LossyRedis(Redis())
    relay = Relay(str(there.hostname), int(there.port or 0), lossy.is_lost)
    port = await relay.open()
    who, at, _ = there.netloc.rpartition("@")
    here = urlunsplit(there._replace(netloc=f"{who}{at}127.0.0.1:{port}"))
    async with open_redis(RedisSettings(url=SecretStr(here), timeout_ms=PATIENT_MS)) as lossy.client:
        yield lossy
    relay.shut()
