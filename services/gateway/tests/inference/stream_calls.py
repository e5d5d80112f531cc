"""A streamed chat and how to wait for a line of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

CHAT = "/v1/chat/completions"


def body(model: str = "yandexgpt", *, stream: bool = True) -> dict[str, Any]:
    """Return a chat body."""
    return {"model": model, "messages": [{"role": "user", "content": "Расскажи"}], "stream": stream}


async def line_with(text: str, lines: AsyncIterator[str]) -> None:
    """Return when a line with `text` has come."""
    async with asyncio.timeout(20):
        while text not in await anext(lines):
            pass
