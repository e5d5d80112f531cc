"""A client of a real Redis, on whose way back an answer gets lost when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from redis.asyncio import Redis

from servicekit.redis import open_redis
from servicekit.settings import RedisSettings

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

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(there.hostname, there.port)
        async with asyncio.TaskGroup() as both:
            both.create_task(_forward(reader, questions))
            both.create_task(_answer(answers, writer, lossy))

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        who, at, _ = there.netloc.rpartition("@")
        here = urlunsplit(there._replace(netloc=f"{who}{at}127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        async with open_redis(RedisSettings(url=SecretStr(here), timeout_ms=PATIENT_MS)) as lossy.client:
            yield lossy


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lossy: LossyRedis) -> None:
    try:
        while data := await reader.read(65536):
            if lossy.is_lost(data):
                return
            writer.write(data)
    except OSError:
        pass
    finally:
        writer.close()
