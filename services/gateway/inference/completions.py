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
from services.gateway.edge import cancellation as cut
from services.gateway.edge.body import ClientLeft
from services.gateway.edge.cancellation import Cut, OpenCuts
from services.gateway.edge.problems import code_of, encode_body
from services.gateway.edge.request_context import Exchange
from services.gateway.edge.respond import send_json
from services.gateway.inference.event_stream import DONE, Frames, error_frame
from services.gateway.inference.event_writer import Departure, EventWriter
from services.gateway.inference.openai_bodies import roubles, usage_body
from services.gateway.inference.paid_call import Passage, Tollgate
from services.gateway.inference.pricing import Fare
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
    exchange: Exchange
    fare: Fare
    requests: Sequence[ChatRequest]


class CompletionService:
    """Takes a job through the tollgate, asks the router, settles, and sends the answer."""

    def __init__(
        self, tollgate: Tollgate, router: RouterClient, settings: GatewaySettings, *, tasks: Background, cuts: OpenCuts
    ) -> None:
        self._tollgate = tollgate
        self._router = router
        self._settings = settings
        self._tasks = tasks
        self._cuts = cuts

    async def answer(self, job: Job, render: Render) -> None:
        """Send a whole answer.

        Raises:
            ServiceError: it failed; nothing was sent.
            ClientLeft: there is nobody to send it to.
        """
        exchange = job.exchange
        async with await self._tollgate.open(exchange, job.fare) as passage:
            ending = self._cuts.new()
            with self._departure(job, ending) as departure, ending:
                completion = await self._complete(job)
            if ending.cause:
                await passage.interrupt(ending.cause)
                raise _stopping() if ending.cause == cut.SHUTDOWN else ClientLeft
            passage.routed(completion.route)
            passage.note(sum(len(choice.content or "") for choice in completion.choices))
            finish = completion.choices[0].finish_reason if completion.choices else ""
            cost = await passage.complete(completion.end, finish, left=bool(departure.cause))
        failpoint("gateway.before_answer")
        exchange.headers.append((b"x-razvilka-cost-micro-rub", str(cost).encode()))
        await send_json(job.send, 200, render(completion, usage_body(passage.usage_of(completion.end)[0], cost)))

    async def stream(self, job: Job, frames: Frames) -> None:
        """Send an answer as it is made.

        Raises:
            ServiceError: it failed before anything was sent.
        """
        async with await self._tollgate.open(job.exchange, job.fare) as passage:
            ending = self._cuts.new()
            relay = Relay(job, frames, passage, ending, self._settings)
            with self._departure(job, ending) as departure:
                writer = EventWriter(job.send, departure, self._settings.stream, self._tasks)
                try:
                    with ending:
                        await relay.run(self._parts(job), writer, departure)
                    await relay.finish(writer, departure)
                except Exception as exc:
                    if not writer.started:
                        raise
                    await relay.break_off(writer, _as_service_error(exc, job.exchange))
                finally:
                    writer.close()

    def _departure(self, job: Job, ending: Cut) -> Departure:
        return Departure(job.scope, ending, job.fare.model.on_disconnect, self._settings.stream)

    def _deadline_s(self, job: Job) -> float:
        return max(0.001, self._settings.request_timeout_s - job.exchange.elapsed_s)

    async def _complete(self, job: Job) -> Completion:
        model, call = job.fare.model.id, job.exchange.call
        answers = [
            await self._router.complete(request, model, deadline_s=self._deadline_s(job), call=call)
            for request in job.requests
        ]
        return answers[0] if len(answers) == 1 else joined(answers, job.requests[0].n or 1)

    def _parts(self, job: Job) -> AsyncGenerator[StreamPart, None]:
        model, call, deadline_s = job.fare.model.id, job.exchange.call, self._deadline_s(job)
        streams = [self._router.stream(request, model, deadline_s=deadline_s, call=call) for request in job.requests]
        return streams[0] if len(streams) == 1 else chained(streams, job.requests[0].n or 1)


class Relay:
    """Carries one stream from the router to the caller, and remembers what its end needs."""

    def __init__(self, job: Job, frames: Frames, passage: Passage, ending: Cut, settings: GatewaySettings) -> None:
        self._job = job
        self._frames = frames
        self._passage = passage
        self._settings = settings
        self._held = b""
        self._end: End | None = None
        self._finish_reason = ""
        self._drained = 0
        self._ending = ending

    async def run(self, parts: AsyncGenerator[StreamPart, None], writer: EventWriter, departure: Departure) -> None:
        """Write every part as it comes; what comes with the end waits until the end is settled."""
        async with aclosing(parts):
            async for part in parts:
                chars = self._note(part)
                frames = self._frames.deltas(part.deltas)
                if not writer.started:
                    await writer.start([])
                if part.end is not None:
                    self._end, self._held = part.end, frames
                    self._passage.note(chars)
                    continue
                await writer.write(frames)
                self._passage.delivered(chars, part.progress)
                failpoint("gateway.after_part")
                if departure.cause:
                    self._drain(chars, departure)

    def _note(self, part: StreamPart) -> int:
        if part.route is not None:
            self._passage.routed(part.route)
        chars = 0
        for delta in part.deltas:
            chars += len(delta.content) + len(delta.reasoning)
            if delta.tool_calls:
                chars += sum(len(call.name) + len(call.arguments) for call in delta.tool_calls)
            if delta.finish_reason and not self._finish_reason:
                self._finish_reason = delta.finish_reason
        return chars

    def _drain(self, chars: int, departure: Departure) -> None:
        self._drained += chars
        if self._drained > self._settings.stream.drain_tokens * self._job.fare.model.chars_per_token:
            self._ending.now(departure.cause)

    async def finish(self, writer: EventWriter, departure: Departure) -> None:
        """Settle, then send the last frames."""
        cause = self._ending.cause
        if cause:
            await self._passage.interrupt(cause)
            if cause == cut.SHUTDOWN:
                raise _stopping()
            return
        if self._end is None:
            raise ProviderFailed(ErrorReason.PROVIDER_ERROR, "The answer broke off without an end.")
        cost = await self._passage.complete(self._end, self._finish_reason, left=bool(departure.cause))
        failpoint("gateway.before_answer")
        usage = usage_body(self._passage.usage_of(self._end)[0], cost)
        await writer.finish(self._held + self._frames.usage(usage) + DONE)

    async def break_off(self, writer: EventWriter, error: ServiceError) -> None:
        """Settle what was delivered, and tell the caller that this is not the whole answer."""
        exchange = self._job.exchange
        exchange.error_code = code_of(error)
        cost = exchange.cost_micro_rub if self._passage.settled else await self._passage.fail(error)
        error.details = {**error.details, "partial": "true", "cost_rub": roubles(cost)}
        await writer.finish(error_frame(encode_body(error, exchange.request_id)))


def _stopping() -> Unavailable:
    return Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "This server is being restarted. Try again.", retry_after_s=1.0)


def _as_service_error(failure: Exception, exchange: Exchange) -> ServiceError:
    if isinstance(failure, ServiceError):
        return failure
    log.error("gateway.stream_failed", request_id=exchange.request_id, exc_info=failure)
    return Internal()
