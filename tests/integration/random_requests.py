"""Random paid requests of every kind, sent in parallel; what came of each in one value."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.random_schemas import rich_schema

SENDERS: Final = 16
CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"
VECTORS: Final = "/v1/embeddings"
CHAT_MODELS: Final = ("yandexgpt:latest", "yandexgpt-lite:latest", "gigachat")
WORDS: Final = ("Где", "север", "?", "tokens", "2026", "{}", "день", "река", "()", "код")
# A stream that is left: so slow that there is something to leave.
SLOW: Final = "[[tokens:40]] [[gap:20]] [[chunks:40]]"


@dataclass(frozen=True, slots=True)
class Order:
    """One request; `leaves`: its caller goes away after the first bytes of the stream."""

    path: str
    body: dict[str, Any]
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The status, and what a refusal is called and says."""

    status: int
    code: str
    message: str = ""


def random_order(rng: random.Random) -> Order:
    """Return a chat (plain, streamed, left; n, tools, a schema), a list of prompts, or texts to become vectors."""
    kind = rng.choices(("chat", "left", "list", "vectors"), (60, 10, 15, 15))[0]
    if kind == "vectors":
        texts = [_text(rng) for _ in range(rng.randint(1, 5))]
        return Order(VECTORS, {"model": "gigachat-embeddings", "input": texts})
    stream, limit = rng.random() < 0.5, {"max_tokens": rng.randint(30, 80)} if rng.random() < 0.8 else {}
    if kind == "list":
        prompts = [f"{_text(rng)} [[tokens:{rng.randint(1, 20)}]]" for _ in range(rng.randint(2, 4))]
        return Order(TEXT, {"model": rng.choice(CHAT_MODELS), "prompt": prompts, "stream": stream, **limit})
    content = f"{_text(rng)} {SLOW if kind == 'left' else f'[[tokens:{rng.randint(1, 30)}]]'}"
    body = {"model": rng.choice(CHAT_MODELS), "messages": [{"role": "user", "content": content}], **limit}
    if kind == "left":
        return Order(CHAT, body | {"stream": True}, leaves=True)
    return Order(CHAT, body | {"stream": stream} | _extras(rng))


def _text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 60)))


def _extras(rng: random.Random) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if rng.random() < 0.25:
        extras["n"] = rng.randint(2, 4)
    if rng.random() < 0.25:
        function = {"name": "find", "description": _text(rng), "parameters": rich_schema(rng)}
        extras["tools"] = [{"type": "function", "function": function}]
    elif rng.random() < 0.2:
        schema = {"type": "object", "properties": {"день": {"type": "string"}, "n": {"type": "integer"}}}
        extras["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return extras


def send_all(urls: Sequence[str], key: str, orders: Sequence[Order]) -> list[Reply]:
    """Send the orders in parallel, over the addresses in turn; each sender has connections of its own."""
    numbered = enumerate(orders)
    turn = threading.Lock()
    replies: dict[int, Reply] = {}

    def work() -> None:
        with httpx.Client(timeout=60.0, trust_env=False) as client:
            while True:
                with turn:
                    number, order = next(numbered, (-1, None))
                if order is None:
                    return
                replies[number] = send(client, urls[number % len(urls)], key, order)

    with ThreadPoolExecutor(SENDERS) as pool:
        for done in [pool.submit(work) for _ in range(SENDERS)]:
            done.result()
    return [replies[number] for number in range(len(orders))]


def send(client: httpx.Client, url: str, key: str, order: Order) -> Reply:
    """Send one request and read what comes, or leave."""
    headers = {"authorization": f"Bearer {key}"}
    with client.stream("POST", url + order.path, json=order.body, headers=headers) as answer:
        if order.leaves and answer.status_code == 200:
            next(answer.iter_raw(), b"")
            return Reply(200, "")
        answer.read()
    refused = answer.json().get("error", {}) if answer.status_code != 200 else {}
    return Reply(answer.status_code, str(refused.get("code", "")), str(refused.get("message", "")))
