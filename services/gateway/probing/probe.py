"""One question to one model version, as a caller asks it: through the edge, with a key, for money."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starlette.types import ASGIApp, Message, Scope

from services.gateway.edge.request_context import CLIENT_CLOSED_REQUEST, KEY, RequestContext

PATH: Final = "/v1/chat/completions"
# Nothing is asked of the model but a sign of life: some ten tokens in, one to sixteen out.
QUESTION: Final = "Ответь одним словом: да."
MOST_TOKENS: Final = 16
TIMEOUT: Final = "timeout"
LOOPBACK: Final = ("127.0.0.1", 0)


class Outcome(StrEnum):
    """What became of a probe."""

    ANSWERED = "answered"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Version:
    """A model version of a provider, as the catalogue has it."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Probed:
    """How a probe went.

    Attributes:
        outcome: failed is what users would have felt; refused is about the probes' own key, budget or limits, before
            anybody was asked.
        code: the API's code of the error; "" when it was answered.
        request_id: names the request in logs, books and GET /v1/requests/{id}; "" when none was made.
        first_token_s: None when there was none.
    """

    version: Version
    outcome: Outcome
    code: str = ""
    request_id: str = ""
    first_token_s: float | None = None
    duration_s: float = 0.0


async def probe(app: ASGIApp, version: Version, key: str, *, timeout_s: float) -> Probed:
    """Ask the version and return how it went; after `timeout_s` the asker leaves."""
    body = json.dumps(_question(version.model)).encode()
    scope, began = _scope(body, key), time.perf_counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s) as deadline:
            await app(scope, _receive(body), _discard)
    duration_s = time.perf_counter() - began
    context: RequestContext = scope[KEY]
    # Also one that was answered all the same while it was being cut off.
    outcome, code = (Outcome.FAILED, TIMEOUT) if deadline.expired() else outcome_of(context)
    first_s = context.first_token_ms / 1000 if context.first_token_ms else None
    return Probed(version, outcome, code, context.request_id, first_s, duration_s)


def outcome_of(context: RequestContext) -> tuple[Outcome, str]:
    """Return what became of a request that has ended, and the code of its error.

    Once the router was asked, a refusal is the version's: nothing is wrong with the question, so users get it too. When
    it came, before the headers or behind them, makes no difference.
    """
    code = context.error_code or context.cut
    if 400 <= context.status < CLIENT_CLOSED_REQUEST and not context.timing.was_asked:
        return Outcome.REFUSED, code
    return (Outcome.FAILED, code) if code or context.status >= CLIENT_CLOSED_REQUEST else (Outcome.ANSWERED, "")


def _question(model: str) -> dict[str, Any]:
    return {
        "model": model,
        # What stands in for a version says nothing of it.
        "provider": {"allow_fallbacks": False},
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": MOST_TOKENS,
        "stream": True,
    }


def _scope(body: bytes, key: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"authorization", b"Bearer " + key.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
        "client": LOOPBACK,
        "server": LOOPBACK,
        "state": {},
    }


def _receive(body: bytes) -> Any:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _discard(_: Message) -> None:
    """Read nothing: what was answered is nobody's."""
