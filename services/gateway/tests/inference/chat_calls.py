"""A chat request and how its answers are read, for the tests of chat."""

from __future__ import annotations

import json
from typing import Any

import openai

from services.gateway.tests.backends import KEY
from services.gateway.tests.conftest import Edge

HELLO: dict[str, Any] = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Скажи привет"}]}
PATH = "/v1/chat/completions"


def events(text: str) -> list[Any]:
    """Return the data of an SSE stream."""
    frames = [frame for frame in text.split("\n\n") if frame]
    return [
        frame[6:] if frame == "data: [DONE]" else json.loads(frame.split("data: ", 1)[1])
        for frame in frames
        if not frame.startswith(":")
    ]


def official(edge: Edge, key: str = KEY) -> openai.AsyncOpenAI:
    """Return the official client."""
    return openai.AsyncOpenAI(base_url=f"{edge.client.base_url}/v1", api_key=key, max_retries=0)
