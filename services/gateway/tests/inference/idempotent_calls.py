"""What the tests of idempotency keys share: a request of each route, and what a retry must look like."""

from __future__ import annotations

from typing import Any, Final

import httpx
import redis.asyncio

CHAT: Final = "/v1/chat/completions"
RECORDS: Final = "gw:*:idempotency:*"
HELLO: Final[dict[str, Any]] = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Скажи привет"}]}
# Path and body of each route that takes keys.
CALLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "a chat": (CHAT, HELLO),
    "a stream": (CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": True}}),
    "a text": ("/v1/completions", {"model": "yandexgpt", "prompt": "раз"}),
    "a stream of text": ("/v1/completions", {"model": "yandexgpt", "prompt": "раз", "stream": True}),
    "embeddings": ("/v1/embeddings", {"model": "text-embeddings", "input": ["а", "б"]}),
    "a message": ("/v1/messages", {**HELLO, "max_tokens": 10}),
    "a stream of a message": ("/v1/messages", {**HELLO, "max_tokens": 10, "stream": True}),
    "a response": ("/v1/responses", {"model": "yandexgpt", "input": "Скажи привет"}),
    "a stream of a response": ("/v1/responses", {"model": "yandexgpt", "input": "Скажи привет", "stream": True}),
}


def keyed(key: str = "order-1") -> dict[str, str]:
    """Return the header."""
    return {"Idempotency-Key": key}


async def post(
    client: httpx.AsyncClient, body: dict[str, Any] | None = None, *, path: str = CHAT, key: str = "order-1"
) -> httpx.Response:
    """Ask with a key."""
    return await client.post(path, json=body or HELLO, headers=keyed(key))


def is_replay(answer: httpx.Response) -> bool:
    """Tell whether an answer says that it was given before."""
    return bool(answer.headers.get("idempotent-replayed") == "true")


async def only_record(client: redis.asyncio.Redis) -> bytes:
    """Return the name of the only record in Redis."""
    (name,) = [name async for name in client.scan_iter(RECORDS)]
    assert isinstance(name, bytes)
    return name
