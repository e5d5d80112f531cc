"""A whole answer, and how it goes out over ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import Message, Send

from services.gateway.edge.problems import Headers

JSON = (b"content-type", b"application/json")
# In the message that begins a response: its body comes in the same turn, so that one write may carry both.
BODY_FOLLOWS: Final = "razvilka.body_follows"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, all headers of its own, and body."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Handover:
    """An answer that somebody else makes and sends: `serve` does."""

    serve: Callable[[Send], Awaitable[None]]


def json_answer(status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Return an answer whose body is JSON already."""
    return Answer(status, [JSON, (b"content-length", b"%d" % len(body)), *headers], body)


def begun(status: int, headers: Headers, *, body_follows: bool = True) -> Message:
    """Return the message that begins a response; `body_follows`: the body, or the first of it, is sent right after."""
    return {"type": "http.response.start", "status": status, "headers": headers, BODY_FOLLOWS: body_follows}


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer."""
    await send(begun(answer.status, answer.headers))
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def send_json(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send `body`, JSON already, as the whole answer. For the hot routes: nothing between them and `send`."""
    length = (b"content-length", b"%d" % len(body))
    await send(begun(status, [JSON, length, *headers]))
    await send({"type": "http.response.body", "body": body, "more_body": False})
