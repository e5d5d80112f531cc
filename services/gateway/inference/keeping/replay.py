"""Sends a kept answer again."""

from __future__ import annotations

from typing import Final

from starlette.types import Send

from services.gateway.edge.header_values import plain_value
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import begun, send_json
from services.gateway.inference.keeping.kept_answer import KeptAnswer
from services.gateway.inference.streaming.event_stream import escape_line_ends
from services.gateway.inference.streaming.event_writer import EVENT_STREAM

REPLAYED: Final = (b"idempotent-replayed", b"true")
# It would get the same once more.
_FINAL: Final = (b"x-should-retry", b"false")


async def replay(context: RequestContext, kept: KeptAnswer, send: Send) -> None:
    """Send an answer that was kept, and say so."""
    context.stream = kept.is_stream
    context.headers.extend(kept.headers)
    context.headers += [REPLAYED, (b"x-razvilka-original-request-id", plain_value(context.replay_of))]
    if not kept.is_stream:
        await send_json(send, kept.status, kept.body, [] if kept.status < 400 else [_FINAL])
        return
    await send(begun(kept.status, EVENT_STREAM))
    await send({"type": "http.response.body", "body": escape_line_ends(kept.body), "more_body": False})
