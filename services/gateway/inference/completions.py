"""Answers chat prompts, whole or as a stream: the middle of the hot path, the same for both shapes of the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.types import Scope, Send

from servicekit.errors import ErrorReason, Internal, ProviderFailed, ServiceError, Unavailable
from servicekit.failpoints import failpoint
from servicekit.lifecycle import Background
from services.gateway.clients.completion import Completion, End, StreamPart
from services.gateway.clients.router import RouterClient
from services.gateway.edge import cancellation
from services.gateway.edge.body import ClientDisconnected
from services.gateway.edge.cancellation import Cancellation, Cancellations
from services.gateway.edge.money import roubles
from services.gateway.edge.problems import code_of, encode_body
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import send_json
from services.gateway.inference.event_stream import DONE, Frames, error_frame
from services.gateway.inference.event_writer import ClientDisconnect, EventWriter
from services.gateway.inference.openai_bodies import usage_body
from services.gateway.inference.paid_call import PaidCall, PaidCalls
from services.gateway.inference.pricing import PricedRequest
from services.gateway.inference.prompt_list import chained, joined
from services.gateway.inference.schemas import ChatRequest
from services.gateway.settings import GatewaySettings

log = structlog.get_logger()

Render = Callable[[Completion, dict[str, Any]], bytes]


@dataclass(frozen=True, slots=True)
class Job:
    """One paid request: where it came from, what it may cost, and the prompts to ask, mostly one."""

    scope: Scope
    send: Send
    context: RequestContext
    priced: PricedRequest
    requests: Sequence[ChatRequest]


class CompletionService:
    """Takes a job through the paid_calls, asks the router, settles, and sends the answer."""

    def __init__(
        self,
        paid_calls: PaidCalls,
        router: RouterClient,
        settings: GatewaySettings,
        *,
        tasks: Background,
        cancellations: Cancellations,
    ) -> None:
        self._paid_calls = paid_calls
        self._router = router
        self._settings = settings
        self._tasks = tasks
        self._cancellations = cancellations

    async def answer(self, job: Job, render: Render) -> None:
        """Send a whole answer.

        Raises:
            ServiceError: it failed; nothing was sent.
            ClientDisconnected: there is nobody to send it to.
        """
        context = job.context
        async with await self._paid_calls.open(context, job.priced) as paid_call:
            ending = self._cancellations.new()
            with self._disconnect(job, ending) as disconnect, ending:
                completion = await self._complete(job)
            if ending.cause:
                await paid_call.interrupt(ending.cause)
                raise _stopping() if ending.cause == cancellation.SHUTDOWN else ClientDisconnected
            paid_call.routed(completion.route)
            paid_call.note(sum(len(choice.content or "") for choice in completion.choices))
            finish = completion.choices[0].finish_reason if completion.choices else ""
            cost = await paid_call.complete(completion.end, finish, left=bool(disconnect.cause))
        failpoint("gateway.before_answer")
        context.headers.append((b"x-razvilka-cost-micro-rub", str(cost).encode()))
        await send_json(job.send, 200, render(completion, usage_body(paid_call.usage_of(completion.end)[0], cost)))

    async def stream(self, job: Job, frames: Frames) -> None:
        """Send an answer as it is made.

        Raises:
            ServiceError: it failed before anything was sent.
        """
        async with await self._paid_calls.open(job.context, job.priced) as paid_call:
            ending = self._cancellations.new()
            relay = Relay(job, frames, paid_call, ending, self._settings)
            with self._disconnect(job, ending) as disconnect:
                writer = EventWriter(job.send, disconnect, self._settings.stream, self._tasks)
                try:
                    with ending:
                        await relay.run(self._parts(job), writer, disconnect)
                    await relay.finish(writer, disconnect)
                except Exception as exc:
                    if not writer.started:
                        raise
                    await relay.break_off(writer, _as_service_error(exc, job.context))
                finally:
                    writer.close()

    def _disconnect(self, job: Job, ending: Cancellation) -> ClientDisconnect:
        return ClientDisconnect(job.scope, ending, job.priced.model.on_disconnect, self._settings.stream)

    def _deadline_s(self, job: Job) -> float:
        return max(0.001, self._settings.request_timeout_s - job.context.elapsed_s)

    async def _complete(self, job: Job) -> Completion:
        model, call = job.priced.model.id, job.context.call
        answers = [
            await self._router.complete(request, model, deadline_s=self._deadline_s(job), call=call)
            for request in job.requests
        ]
        return answers[0] if len(answers) == 1 else joined(answers, job.requests[0].n or 1)

    def _parts(self, job: Job) -> AsyncGenerator[StreamPart, None]:
        model, call, deadline_s = job.priced.model.id, job.context.call, self._deadline_s(job)
        streams = [self._router.stream(request, model, deadline_s=deadline_s, call=call) for request in job.requests]
        return streams[0] if len(streams) == 1 else chained(streams, job.requests[0].n or 1)


class Relay:
    """Carries one stream from the router to the caller, and remembers what its end needs."""

    def __init__(
        self, job: Job, frames: Frames, paid_call: PaidCall, ending: Cancellation, settings: GatewaySettings
    ) -> None:
        self._job = job
        self._frames = frames
        self._paid_call = paid_call
        self._settings = settings
        self._held = b""
        self._end: End | None = None
        self._finish_reason = ""
        self._drained = 0
        self._ending = ending

    async def run(
        self, parts: AsyncGenerator[StreamPart, None], writer: EventWriter, disconnect: ClientDisconnect
    ) -> None:
        """Write every part as it comes; what comes with the end waits until the end is settled."""
        async with aclosing(parts):
            async for part in parts:
                chars = self._note(part)
                frames = self._frames.deltas(part.deltas)
                if not writer.started:
                    await writer.start([])
                if part.end is not None:
                    self._end, self._held = part.end, frames
                    self._paid_call.note(chars)
                    continue
                await writer.write(frames)
                self._paid_call.delivered(chars, part.progress)
                failpoint("gateway.after_part")
                if disconnect.cause:
                    self._drain(chars, disconnect)

    def _note(self, part: StreamPart) -> int:
        if part.route is not None:
            self._paid_call.routed(part.route)
        chars = 0
        for delta in part.deltas:
            chars += len(delta.content) + len(delta.reasoning)
            if delta.tool_calls:
                chars += sum(len(call.name) + len(call.arguments) for call in delta.tool_calls)
            if delta.finish_reason and not self._finish_reason:
                self._finish_reason = delta.finish_reason
        return chars

    def _drain(self, chars: int, disconnect: ClientDisconnect) -> None:
        self._drained += chars
        if self._drained > self._settings.stream.drain_tokens * self._job.priced.model.chars_per_token:
            self._ending.now(disconnect.cause)

    async def finish(self, writer: EventWriter, disconnect: ClientDisconnect) -> None:
        """Settle, then send the last frames."""
        cause = self._ending.cause
        if cause:
            await self._paid_call.interrupt(cause)
            if cause == cancellation.SHUTDOWN:
                raise _stopping()
            return
        if self._end is None:
            raise ProviderFailed(ErrorReason.PROVIDER_ERROR, "The answer broke off without an end.")
        cost = await self._paid_call.complete(self._end, self._finish_reason, left=bool(disconnect.cause))
        failpoint("gateway.before_answer")
        usage = usage_body(self._paid_call.usage_of(self._end)[0], cost)
        await writer.finish(self._held + self._frames.usage(usage) + DONE)

    async def break_off(self, writer: EventWriter, error: ServiceError) -> None:
        """Settle what was delivered, and tell the caller that this is not the whole answer."""
        context = self._job.context
        context.error_code = code_of(error)
        cost = context.cost_micro_rub if self._paid_call.settled else await self._paid_call.fail(error)
        error.details = {**error.details, "partial": "true", "cost_rub": roubles(cost)}
        await writer.finish(error_frame(encode_body(error, context.request_id)))


def _stopping() -> Unavailable:
    return Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "This server is being restarted. Try again.", retry_after_s=1.0)


def _as_service_error(failure: Exception, context: RequestContext) -> ServiceError:
    if isinstance(failure, ServiceError):
        return failure
    log.error("gateway.stream_failed", request_id=context.request_id, exc_info=failure)
    return Internal()
