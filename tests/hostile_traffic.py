"""Random requests of every shape that a provider bills in some way of its own."""

from __future__ import annotations

import random
from typing import Any, Final

from services.gateway.schemas.inference import ChatRequest
from tests.random_schemas import rich_schema
from tools.holds.traffic import CODE, ENGLISH, RUSSIAN, request_of

# Of every script and of none: what has most tokens a character.
HOSTILE: Final = ("!?.,;:-()[]{}<>/|", "0123456789", "你好世界", "😀🎉", "aбz9", "a b c d", "éüñßø", "\n\t ")


def hostile(rng: random.Random) -> ChatRequest:
    """Return a request of any shape that a provider bills in some way of its own."""
    body: dict[str, Any] = {"messages": [_message(rng, role) for role in _roles(rng)]}
    if rng.random() < 0.7:
        body["max_tokens"] = rng.randint(1, 400)
    if rng.random() < 0.3:
        body["n"] = rng.randint(2, 8)
    if rng.random() < 0.3:
        body["tools"] = [_tool(rng, number) for number in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        body["response_format"] = _format(rng)
    return request_of(body)


def _roles(rng: random.Random) -> list[str]:
    middle = [role for _ in range(rng.randint(0, 3)) for role in ("user", "assistant")]
    return [*(["system"] if rng.random() < 0.3 else []), *middle, "user"]


def _message(rng: random.Random, role: str) -> dict[str, Any]:
    text = _text(rng)
    return {"role": role, "content": [{"type": "text", "text": text}] if rng.random() < 0.2 else text}


def _text(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return " ".join(rng.choices(rng.choice((RUSSIAN, ENGLISH, CODE)), k=rng.randint(1, 300)))
    letters = rng.choice(HOSTILE)
    return "x" + "".join(rng.choices(letters, k=rng.randint(1, 600)))


def _schema(rng: random.Random, depth: int = 2) -> dict[str, Any]:
    if not depth:
        return {"type": rng.choice(("string", "object", "integer"))}
    names = [f"{_text(rng)[:8]}{number}" for number in range(rng.randint(1, 4))]
    return {"type": "object", "properties": {name: _schema(rng, depth - 1) for name in names}}


def _tool(rng: random.Random, number: int) -> dict[str, Any]:
    parameters = rich_schema(rng) if rng.random() < 0.5 else _schema(rng)
    function = {"name": f"f_{number}.-x", "description": _text(rng)[:200], "parameters": parameters}
    return {"type": "function", "function": function}


def _format(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.3:
        return {"type": "json_object"}
    schema = rich_schema(rng) if rng.random() < 0.1 else _schema(rng)
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
