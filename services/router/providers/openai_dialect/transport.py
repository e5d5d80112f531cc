"""The two ways an OpenAI-style answer comes: whole, or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from services.router.domain.completion import Answer, Batch, Delta, Prompt
from services.router.providers import failures
from services.router.providers.openai_dialect.errors import error_of
from services.router.providers.openai_dialect.request import OpenAIDialect
from services.router.providers.openai_dialect.response import ChunkStream, whole_answer
from services.router.providers.provider import ProviderCall
from services.router.providers.transport.http import OpenReply, Reply
from services.router.providers.transport.sse import SseDecoder


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
    if reply.headers.get("Content-Type", "").startswith("application/json"):
        # Asked for a stream and answered whole: an error inside a 200, or an upstream that cannot stream.
        answer, call.fingerprint = whole_answer(await reply.body(), dialect.ids, dialect.quirks, dialect.clock)
        yield as_batch(answer)
        return
    choices = (prompt.n or 1) if dialect.quirks.native_choices else 1
    events = SseDecoder(line_bytes)
    stream = ChunkStream(dialect.ids, dialect.quirks, dialect.clock, choices=choices)
    while not stream.done:
        chunk = await reply.read()
        batch = stream.feed(events.feed(chunk) if chunk else events.finish())
        if batch is not None:
            reply.progressed()
            call.fingerprint = stream.fingerprint
            yield batch
        if stream.failure is not None:
            raise stream.failure
        if not chunk:
            if stream.all_finished or stream.done:
                return
            raise failures.broken("The provider's answer broke off.")
    await reply.linger()


def as_batch(answer: Answer) -> Batch:
    """Return a whole answer as the only batch of a stream."""
    deltas = [
        Delta(choice.index, choice.content or "", choice.reasoning_content, choice.tool_calls, choice.finish_reason)
        for choice in answer.choices
    ]
    return Batch(deltas, answer.usage)
