"""Requests without end, and a note of every answer that reached its last byte."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

MODELS: Final = ("yandexgpt:latest", "gigachat-pro", "bench-model")
TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
# As clients do after a failure. Asking at once again would take the cores from what is starting anew.
RETRY_S: Final = 0.2


@dataclass(slots=True)
class Seen:
    """What the client saw: request ids of answers that came to their end, and how often which others failed."""

    completed: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    broken: int = 0


class Load:
    """A number of clients that ask again as soon as they are answered."""

    def __init__(self, url: str, key: str, *, clients: int, rng: random.Random) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._headers = {"authorization": f"Bearer {key}"}
        self._clients = clients
        self._rng = rng
        self.seen = Seen()

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set; requests under way are finished."""
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(self._clients):
                tasks.create_task(self._ask_for_ever(session, stop))

    async def _ask_for_ever(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._ask(session, stream=self._rng.random() < 0.5)
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.seen.broken += 1
                await asyncio.sleep(RETRY_S)

    async def _ask(self, session: aiohttp.ClientSession, *, stream: bool) -> None:
        body: dict[str, Any] = {
            "model": self._rng.choice(MODELS),
            "messages": [
                {"role": "user", "content": f"Вопрос {self._rng.random()} [[chunks:{self._rng.randint(2, 12)}]]"}
            ],
            "max_tokens": 60,
            "stream": stream,
        }
        async with session.post(self._url, json=body) as answer:
            payload = await answer.read()
            if answer.status != 200:
                self.seen.refused[f"{answer.status} {_code_of(payload)}"] += 1
                await asyncio.sleep(RETRY_S)
            elif stream and not payload.rstrip().endswith(b"data: [DONE]"):
                self.seen.broken += 1
            else:
                if not stream:
                    json.loads(payload)
                self.seen.completed.append(answer.headers["x-request-id"])


def _code_of(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "without a code"
