"""Requests at a fixed rate and streams that are always open, whatever is answered; every failure is kept."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

LONGEST_S: Final = 90.0
# Longer than a process takes to be told, shorter than it is given.
STREAM_S: Final = 6.0
STREAM: Final = "Где север? [[tokens:60]] [[chunks:60]] [[gap:100]]"
QUESTION: Final = "Где юг? [[tokens:4]]"


@dataclass(slots=True)
class Seen:
    """What the callers saw.

    Attributes:
        completed: request ids of whole answers.
        failed: what was wrong with the others, with the second of the run.
        streams: how many of the whole answers were streams.
        slowest_s: of a plain answer.
    """

    completed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    streams: int = 0
    slowest_s: float = 0.0


class Load:
    """Callers with one key, or with several in turn."""

    def __init__(self, url: str, *keys: str, rate: float, streams: int) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._headers = itertools.cycle([{"authorization": f"Bearer {key}"} for key in keys])
        self._rate = rate
        self._streams = streams
        self._began = time.monotonic()
        self.seen = Seen()

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop` is set, then wait for what is under way."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=LONGEST_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for number in range(self._streams):
                tasks.create_task(self._stream_for_ever(session, stop, number))
            await self._ask_at_rate(session, stop, tasks)

    async def _ask_at_rate(self, session: aiohttp.ClientSession, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        due = time.monotonic()
        while not stop.is_set():
            tasks.create_task(self._ask(session, QUESTION, stream=False))
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _stream_for_ever(self, session: aiohttp.ClientSession, stop: asyncio.Event, number: int) -> None:
        # At every moment some are in their middle, whichever process is ended.
        await asyncio.sleep(STREAM_S * number / self._streams)
        while not stop.is_set():
            await self._ask(session, STREAM, stream=True)

    async def _ask(self, session: aiohttp.ClientSession, text: str, *, stream: bool) -> None:
        message = {"role": "user", "content": text}
        body = {"model": "gigachat", "messages": [message], "max_tokens": 60, "stream": stream}
        began = time.monotonic()
        try:
            async with session.post(self._url, json=body, headers=next(self._headers)) as answer:
                payload = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            self._fail(stream, repr(exc))
            return
        if fault := _fault_of(answer, payload, stream=stream):
            self._fail(stream, fault)
            return
        self._note(answer, stream=stream, took_s=time.monotonic() - began)

    def _note(self, answer: aiohttp.ClientResponse, *, stream: bool, took_s: float) -> None:
        self.seen.completed.append(answer.headers["x-request-id"])
        self.seen.streams += stream
        self.seen.slowest_s = max(self.seen.slowest_s, 0.0 if stream else took_s)

    def _fail(self, stream: bool, why: str) -> None:
        kind = "stream" if stream else "answer"
        self.seen.failed.append(f"{time.monotonic() - self._began:7.1f} s {kind}: {why}")


def _fault_of(answer: aiohttp.ClientResponse, payload: bytes, *, stream: bool) -> str:
    """Return what is wrong with an answer, empty when nothing is."""
    said = payload[-300:].decode(errors="replace")
    if answer.status != 200:
        return f"{answer.status} {said}"
    if stream:
        return "" if payload.rstrip().endswith(b"data: [DONE]") else f"cut: {said}"
    whole: Any = json.loads(payload)
    return "" if whole.get("choices") else f"no answer: {said}"
