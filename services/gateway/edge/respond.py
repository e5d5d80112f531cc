"""A whole answer, and how it goes out over ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.types import Send

from services.gateway.edge.problems import Headers

JSON = (b"content-type", b"application/json")


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
    return Answer(status, [JSON, (b"content-length", str(len(body)).encode()), *headers], body)


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def send_json(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send `body`, JSON already, as the whole answer. For the hot routes: nothing between them and `send`."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
