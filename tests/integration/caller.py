"""Asks the public API over HTTP and keeps everything that came back, also of an answer that broke off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import httpx

CHAT: Final = "/v1/chat/completions"
# Made once: reading all the roots of trust costs more than a call.
TRUST: Final = httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. `status` 0: not even a status line."""

    status: int
    headers: httpx.Headers
    body: bytes
    broke: bool

    @property
    def request_id(self) -> str:
        """The id of the request, as the header says it."""
        return str(self.headers["x-request-id"])

    @property
    def json(self) -> Any:
        """The body of a plain answer."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a plain answer, or the error event of a stream; {} when there is none."""
        if self.is_stream:
            return next((event["error"] for event in self.events if "error" in event), {})
        found: dict[str, Any] = self.json.get("error", {}) if self.body else {}
        return found

    @property
    def is_stream(self) -> bool:
        """Whether it is an event stream."""
        return str(self.headers.get("content-type", "")).startswith("text/event-stream")

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON of every data line of a stream, without [DONE] and without a line that was cut."""
        lines = self.body.decode("utf-8", "replace").split("\n\n")[:-1]
        data = [line.rpartition("data: ")[2] for line in lines if "data: " in line]
        return [json.loads(text) for text in data if text != "[DONE]"]

    @property
    def is_done(self) -> bool:
        """Whether the stream said that it was whole."""
        return self.body.rstrip().endswith(b"data: [DONE]")

    @property
    def text(self) -> str:
        """The text that the model said, as far as it came."""
        if not self.is_stream:
            return str(self.json["choices"][0]["message"]["content"])
        choices = [choice for event in self.events for choice in event.get("choices", [])]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def is_whole(self) -> bool:
        """Whether the caller may believe that it has the whole answer."""
        return self.status == 200 and not self.broke and (self.is_done or not self.is_stream)


def ask(
    url: str,
    key: str,
    content: str,
    *,
    model: str = "yandexgpt:latest",
    stream: bool = False,
    headers: dict[str, str] | None = None,
    timeout_s: float = 30.0,
    **fields: Any,
) -> Heard:
    """Ask for a chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], "stream": stream, **fields}
    sent = {"authorization": f"Bearer {key}", **(headers or {})}
    return call(url, "POST", CHAT, headers=sent, json=body, timeout_s=timeout_s)


def call(url: str, method: str, path: str, *, timeout_s: float = 30.0, **request: Any) -> Heard:
    """Make any call; never raises for what the server does."""
    status, headers = 0, httpx.Headers()
    parts: list[bytes] = []
    broke = False
    try:
        with (
            httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, verify=TRUST) as client,
            client.stream(method, path, **request) as answer,
        ):
            status, headers = answer.status_code, answer.headers
            # One by one: what came before a break must be kept.
            for part in answer.iter_raw():
                parts.append(part)
    except httpx.TransportError:
        broke = True
    return Heard(status, headers, b"".join(parts), broke)
