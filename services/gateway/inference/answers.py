"""Asks the router inside a paid call and sends what it says: whole, or as it is made. Every paid route answers here."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Final

import structlog
from starlette.types import Send

from servicekit.errors import ErrorReason, Internal, ProviderFailed, ServiceError, Unavailable
from servicekit.failpoints import failpoint
from services.gateway.clients.completion import (
    Completion,
    End,
    Route,
    StreamPart,
    chars_of_calls,
    merged,
)
from services.gateway.edge import cancellation
from services.gateway.edge.errors.json_errors import name_field
from services.gateway.edge.money import roubles
from services.gateway.edge.problems import code_of, retry_after
from services.gateway.edge.reading.body import ClientDisconnected
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import send_json
from services.gateway.inference.answer_headers import cost_header, late_facts, note_cost
from services.gateway.inference.caching.answer_cache import Answer, AnswerCache, Ask, AskStream
from services.gateway.inference.delivered import BeforeLast
from services.gateway.inference.paid_call import PaidCall, PaidCalls
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.streaming.event_stream import Frames
from services.gateway.inference.streaming.event_writer import EventWriter
from services.gateway.metering.usage_record import TokenUsage

log = structlog.get_logger()

# A caller that is cut in the middle of a write pays for what was written before it: few parts are at stake.
PARTS_A_WRITE: Final = 16

# From the answer, what it used and what it cost in micro-roubles to the body.
Render = Callable[[Answer, TokenUsage, int], bytes]


class Answers:
    """Sends the answers of paid calls."""

    def __init__(self, paid_calls: PaidCalls, cache: AnswerCache) -> None:
        self._paid_calls = paid_calls
        self._cache = cache

    async def send_whole(
        self,
        context: RequestContext,
        priced: PricedRequest,
        send: Send,
        *,
        ask: Ask[Answer],
        render: Render[Answer],
        before_last: BeforeLast | None = None,
    ) -> None:
        """Send a whole answer.

        Raises:
            ServiceError: it failed; nothing was sent.
            ClientDisconnected: there is nobody to send it to.
        """
        if context.cache is not None:
            priced, ask = await self._cache.whole(context, priced, ask)
        async with self._paid_calls.open(context, priced) as call:
            with call.cancellation:
                answer = await ask(call)
            if call.cancellation.cause:
                await _settle_cancelled(call)
                raise ClientDisconnected
            call.routed(answer.route)
            choices = answer.choices if isinstance(answer, Completion) else ()
            reason = choices[0].finish_reason if choices else ""
            last = partial(_rendered, context, render, answer)
            body = await call.complete(answer.end, reason, last, before_last)
        failpoint("gateway.before_answer")
        if call.client.lost:
            raise ClientDisconnected
        await send_json(send, 200, body)

    async def send_stream(
        self,
        context: RequestContext,
        priced: PricedRequest,
        send: Send,
        *,
        ask: AskStream,
        frames: Frames,
        before_last: BeforeLast | None = None,
    ) -> None:
        """Send an answer as it is made.

        Raises:
            ServiceError: it failed before anything was sent.
        """
        if context.cache is not None:
            priced, ask = await self._cache.stream(context, priced, ask)
        async with self._paid_calls.open(context, priced) as call:
            settings = self._paid_calls.settings.stream
            writer = EventWriter(send, call.client, settings, self._paid_calls.tasks)
            relay = StreamRelay(call, frames, writer, drain_tokens=settings.drain_tokens)
            try:
                writer.expect()
                with call.cancellation:
                    await relay.run(ask(call))
                await relay.finish(before_last)
            except Exception as exc:
                if not writer.started:
                    raise
                await relay.break_off(_as_service_error(exc, context))
            finally:
                writer.close()


class StreamRelay:
    """Carries one stream from the router to the caller, and remembers what its end needs."""

    def __init__(self, call: PaidCall, frames: Frames, writer: EventWriter, *, drain_tokens: int) -> None:
        self._call = call
        self._frames = frames
        self._writer = writer
        self._drain_chars = drain_tokens * call.priced.model.chars_per_token
        self._drained_chars = 0
        self._last_frames = b""
        self._end: End | None = None
        # Of the choice with the lowest number of those that have ended: whichever ends first.
        self._finish_reason, self._finished = "", math.inf

    async def run(self, arrived: AsyncGenerator[list[StreamPart], None]) -> None:
        """Write every part as it comes; what comes with the end waits until the end is settled."""
        async with aclosing(arrived):
            async for parts in arrived:
                await self._relay(parts)

    async def _relay(self, parts: list[StreamPart]) -> None:
        """Write parts that have arrived together in as few writes as may be: each counts once it is written."""
        call, done = self._call, 0
        while done < len(parts) and not call.cancellation.cause:
            # What is read on after the caller left is counted part by part: it may be no more than `drain_tokens`.
            count = 1 if call.client.lost else PARTS_A_WRITE
            await self._write(merged(parts[done : done + count]))
            done += count

    async def _write(self, part: StreamPart) -> None:
        call, writer = self._call, self._writer
        chars = self._note(part)
        if part.end is not None:
            self._frames.built_as(part.end.system_fingerprint)
        frames = self._frames.deltas(part.deltas)
        if not writer.started:
            await writer.start(frames_follow=bool(frames) and part.end is None)
        if part.end is not None:
            self._end, self._last_frames = part.end, frames
            call.note(chars)
            return
        if call.context.keeper is not None:
            call.context.keeper.part(frames)
        await writer.write(frames)
        call.delivered(chars, part.progress)
        failpoint("gateway.after_part")
        if call.client.lost:
            self._drain(chars)

    def _note(self, part: StreamPart) -> int:
        if part.route is not None:
            self._routed(part.route)
        chars = 0
        for delta in part.deltas:
            chars += len(delta.content)
            if delta.reasoning:
                chars += len(delta.reasoning)
            if delta.tool_calls:
                chars += chars_of_calls(delta.tool_calls)
            if delta.finish_reason and delta.index < self._finished:
                self._finish_reason, self._finished = delta.finish_reason, delta.index
        return chars

    def _routed(self, route: Route) -> None:
        headers = self._call.context.headers
        known = len(headers)
        self._call.routed(route)
        if self._writer.opened_early:
            self._frames.explain(late_facts(headers[known:]))

    def _drain(self, chars: int) -> None:
        self._drained_chars += chars
        if self._drained_chars > self._drain_chars:
            self._call.cancellation.now(self._call.client.lost)

    async def finish(self, before_last: BeforeLast | None) -> None:
        """Settle, then send the last frames.

        Raises:
            Unavailable: the stream was ended because this process stops.
            ProviderFailed: it has no end.
        """
        call = self._call
        if call.cancellation.cause:
            await _settle_cancelled(call)
            return
        if self._end is None:
            raise ProviderFailed(ErrorReason.PROVIDER_ERROR, "The answer broke off without an end.")
        last = await call.complete(self._end, self._finish_reason, self._last, before_last)
        failpoint("gateway.before_answer")
        await self._writer.finish(last)

    def _last(self, billed: TokenUsage, cost_micro_rub: int) -> bytes:
        return self._last_frames + self._frames.end(billed, cost_micro_rub)

    async def break_off(self, error: ServiceError) -> None:
        """Settle what was delivered, and tell the caller that this is not the whole answer."""
        call, context = self._call, self._call.context
        context.error_code = code_of(error)
        name_field(context, error)
        last = partial(self._broken, error)
        told = last(call.billed, context.cost_micro_rub) if call.settled else await call.fail(error, last)
        await self._writer.finish(told)

    def _broken(self, error: ServiceError, billed: TokenUsage, cost_micro_rub: int) -> bytes:
        error.details = {**error.details, "partial": "true", "cost_rub": roubles(cost_micro_rub)}
        if wait_s := retry_after(error):
            # The header of that name has left.
            error.details["retry_after"] = wait_s
        return self._frames.error(error, self._call.context.request_id)


def _rendered(
    context: RequestContext, render: Render[Answer], answer: Answer, billed: TokenUsage, cost_micro_rub: int
) -> bytes:
    context.headers.append(cost_header(cost_micro_rub))
    return render(answer, billed, cost_micro_rub)


async def _settle_cancelled(call: PaidCall) -> None:
    """Settle a call whose work was ended from outside.

    Raises:
        Unavailable: because this process stops: the caller is still there to hear of it.
    """
    cause = call.cancellation.cause
    await call.interrupt(cause)
    if cause == cancellation.SHUTDOWN:
        error = _restarting(call.priced.endpoint)
        note_cost(call.context, error, call.billed, call.context.cost_micro_rub)
        raise error


def _restarting(endpoint: str) -> Unavailable:
    # Callers of embeddings have never been told the second sentence; texts of errors are part of the API.
    advice = "" if endpoint == "embeddings" else " Try again."
    text = f"This server is being restarted.{advice}"
    return Unavailable(ErrorReason.SERVICE_UNAVAILABLE, text, retry_after_s=1.0)


def _as_service_error(failure: Exception, context: RequestContext) -> ServiceError:
    if isinstance(failure, ServiceError):
        return failure
    log.error("gateway.stream_failed", request_id=context.request_id, exc_info=failure)
    return Internal()
