"""Sending a question and reading what comes back."""

import base64
import json
from typing import Any

import aiohttp


async def post(
    http: aiohttp.ClientSession, url: str, body: Any, headers: dict[str, str], *, stream: bool
) -> tuple[int, Any]:
    """Return the status, and the JSON or the raw stream text."""
    async with http.post(url, json=body, headers=headers, allow_redirects=False) as response:
        raw = (await response.read()).decode()
        if stream and response.status == 200:
            return response.status, raw
        try:
            return response.status, json.loads(raw)
        except json.JSONDecodeError:
            return response.status, raw


def ndjson(raw: str) -> list[Any]:
    """Return the lines of a native Yandex stream."""
    return [json.loads(line) for line in raw.splitlines()]


def sse(raw: str) -> list[Any]:
    """Return the JSON of each SSE event; [DONE] stays text."""
    data = [line.removeprefix("data: ") for line in raw.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def base64url_json(value: Any) -> str:
    """Return one part of a JWT: bytes as they are, anything else as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
