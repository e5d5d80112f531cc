"""Requests that ask for the cache of answers, and what it said."""

from __future__ import annotations

from typing import Any, Final

import httpx

from services.gateway.tests.backends import Backends
from services.gateway.tests.inference.idempotent_calls import CHAT, HELLO

ON: Final = {"x-razvilka-cache": "on"}


STREAM: Final[dict[str, Any]] = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}


async def ask(
    client: httpx.AsyncClient, body: dict[str, Any] | None = None, *, path: str = CHAT, **more: str
) -> httpx.Response:
    """Ask with the cache on; keyword arguments are further headers, with _ for -."""
    return await client.post(
        path, json=body or HELLO, headers={**ON, **{name.replace("_", "-"): value for name, value in more.items()}}
    )


def status(answer: httpx.Response) -> str | None:
    """Return what the answer says of the cache."""
    found = answer.headers.get("x-razvilka-cache-status")
    return None if found is None else str(found)


def asked(backends: Backends) -> int:
    """Return how often a provider was asked."""
    return len(backends.router.prompts) + len(backends.router.embeds)
