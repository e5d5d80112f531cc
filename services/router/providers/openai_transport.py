"""The two ways an OpenAI-style answer comes: whole, or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from services.router.domain.completion import Answer, Batch, Prompt
from services.router.providers import failures
from services.router.providers.http import OpenReply, Reply
from services.router.providers.openai_dialect import OpenAIDialect
from services.router.providers.openai_errors import error_of
from services.router.providers.openai_response import ChunkStream, whole_answer
from services.router.providers.provider import ProviderCall
from services.router.providers.sse import SseDecoder


async def complete_openai(dialect: OpenAIDialect, post: Callable[[], Awaitable[Reply]], call: ProviderCall) -> Answer:
    """Send by `post` and return the answer."""
    reply = await post()
    if not reply.ok:
        raise error_of(reply.status, reply.headers, reply.body, dialect.clock)
    answer, call.fingerprint = whole_answer(reply.body, dialect.ids, dialect.quirks, dialect.clock)
    return answer


async def stream_openai(
    dialect: OpenAIDialect, reply: OpenReply, line_bytes: int, prompt: Prompt, call: ProviderCall
) -> AsyncGenerator[Batch, None]:
    """Yield the batches of an answer that is coming in."""
    if not reply.ok:
        raise error_of(reply.status, reply.headers, await reply.error_body(), dialect.clock)
    choices = (prompt.n or 1) if dialect.quirks.native_choices else 1
    events = SseDecoder(line_bytes)
    stream = ChunkStream(dialect.ids, dialect.quirks, dialect.clock, choices=choices)
    while not stream.done:
        chunk = await reply.read()
        whole = events.feed(chunk) if chunk else events.finish()
        if whole:
            reply.progressed()
            batch = stream.feed(whole)
            call.fingerprint = stream.fingerprint
            if batch is not None:
                yield batch
        if not chunk:
            if stream.all_finished or stream.done:
                return
            raise failures.broken("The provider's answer broke off.")
    await reply.linger()
