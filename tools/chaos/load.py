"""Requests without end, and a note of every answer that reached its last byte."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tools.chaos.callers import Caller

MODELS: Final = ("yandexgpt:latest", "gigachat-pro", "bench-model")
# Of requests for the provider that stands in for a broken one; now and then it fails before another model answers.
FALLBACK_SHARE: Final = 0.15
YANDEX: Final = "yandexgpt"
FALLBACK: Final = {"model": "yandexgpt:latest", "models": ["gigachat-pro", "bench-model"]}
BROKEN_SHARE: Final = 0.3
BROKEN: Final = " [[fault:status code=500 on=yandex]]"
SLOWEST_MS: Final = 300
TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
# As clients do after a failure. Asking at once again would take the cores from what is starting anew.
RETRY_S: Final = 0.2
UNAUTHORIZED: Final = 401
STUCK_S: Final = 300.0


@dataclass(slots=True)
class Seen:
    """What the clients saw: request ids of answers that came to their end, and how often which others failed.

    Attributes:
        by_caller: how many of them each caller had.
        fell_back: answers of another model than the one asked for.
        waited: answers that stood in line for their provider.
    """

    completed: list[str] = field(default_factory=list)
    by_caller: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    fell_back: int = 0
    waited: int = 0


class Load:
    """A number of clients that ask again as soon as they are answered."""

    def __init__(self, url: str, callers: Sequence[Caller], *, clients: int, rng: random.Random) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._callers = callers
        self._clients = clients
        self._rng = rng
        self._progress = asyncio.Condition()
        self.seen = Seen()

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set; requests under way are finished."""
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(self._clients):
                tasks.create_task(self._ask_for_ever(session, stop))

    async def has_answers(self, number: int) -> None:
        """Return when so many answers have come to their end.

        Raises:
            TimeoutError: none has come for minutes, though nothing bad happens any more.
        """
        async with self._progress:
            while len(self.seen.completed) < number:
                async with asyncio.timeout(STUCK_S):
                    await self._progress.wait()

    async def _ask_for_ever(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._ask(session, self._rng.choice(self._callers), self._body())
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.seen.broken += 1
                await asyncio.sleep(RETRY_S)

    def _body(self) -> dict[str, Any]:
        rng = self._rng
        falls_back = rng.random() < FALLBACK_SHARE
        broken = BROKEN if falls_back and rng.random() < BROKEN_SHARE else ""
        text = f"Вопрос {rng.random()} [[chunks:{rng.randint(2, 12)}]] [[latency:{rng.randint(0, SLOWEST_MS)}]]{broken}"
        return {
            **(FALLBACK if falls_back else {"model": rng.choice(MODELS)}),
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 60,
            "stream": rng.random() < 0.5,
        }

    async def _ask(self, session: aiohttp.ClientSession, caller: Caller, body: dict[str, Any]) -> None:
        headers = {"authorization": caller.authorization}
        async with session.post(self._url, json=body, headers=headers) as answer:
            payload = await answer.read()
        if answer.status != 200:
            await self._note_refusal(session, caller, answer.status, payload)
        elif body["stream"] and not payload.rstrip().endswith(b"data: [DONE]"):
            self.seen.broken += 1
        else:
            self._note_answer(caller, body, answer, payload)
            async with self._progress:
                self._progress.notify_all()

    async def _note_refusal(self, session: aiohttp.ClientSession, caller: Caller, status: int, payload: bytes) -> None:
        self.seen.refused[f"{status} {_code_of(payload)}"] += 1
        await asyncio.sleep(RETRY_S)
        if status == UNAUTHORIZED:
            await caller.renew(session)

    def _note_answer(
        self, caller: Caller, body: dict[str, Any], answer: aiohttp.ClientResponse, payload: bytes
    ) -> None:
        if not body["stream"]:
            json.loads(payload)
        seen = self.seen
        seen.completed.append(answer.headers["x-request-id"])
        seen.by_caller[caller.name] += 1
        # Of a stream whose headers left early both stand in its last chunk, and are not looked for.
        seen.waited += answer.headers.get("x-razvilka-queue-ms", "0") != "0"
        seen.fell_back += "models" in body and answer.headers.get("x-razvilka-provider", YANDEX) != YANDEX


def _code_of(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "without a code"
