"""Several prompts in one request (the older form allows it): one answer whose choices are numbered through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import msgspec

from services.gateway.clients.completion import Completion, End, StreamPart, chars_of
from services.gateway.clients.router.client import RouterClient
from services.gateway.clients.router.prompt import Asker, Candidates
from services.gateway.inference.paid_call import PaidCall
from services.gateway.metering.usage_record import Attempt, total_usage
from services.gateway.schemas.inference import ChatRequest

# The share of a provider's slots that lines of batches have (ROUTER_SLOTS_SHARES).
BATCH_TIER: Final = "batch"


class PromptList:
    """The prompts of one request, mostly one: asked one after the other, answered as one."""

    def __init__(self, router: RouterClient, requests: Sequence[ChatRequest]) -> None:
        self._router = router
        self._requests = requests

    async def complete(self, call: PaidCall) -> Completion:
        """Return the whole answer.

        Raises:
            ServiceError: what the router says went wrong.
        """
        model, context, lesson = call.priced.model.id, call.context.call, call.priced.size.lesson
        asker = asker_of(call)
        answers: list[Completion] = []
        for request in self._as_admitted(call):
            answer = await self._router.complete(
                request,
                model,
                deadline_s=call.deadline_s,
                call=context,
                lesson=lesson,
                schema_bound=call.priced.schema_bound,
                asker=asker,
            )
            answers.append(answer)
            asker = tied(asker, answer.route.model)
            call.answered(answer.route, chars_of(answer.choices), answer.end.usage)
        return answers[0] if len(answers) == 1 else joined(answers, self._requests[0].n or 1)

    def stream(self, call: PaidCall) -> AsyncGenerator[list[StreamPart], None]:
        """Return the answer as it is made.

        Raises:
            ServiceError: what the router says went wrong, while it is read.
        """
        asks = [partial(self._stream, call, request) for request in self._as_admitted(call)]
        return asks[0](asker_of(call)) if len(asks) == 1 else chained(asks, self._requests[0].n or 1, asker_of(call))

    def _stream(self, call: PaidCall, request: ChatRequest, asker: Asker) -> AsyncGenerator[list[StreamPart], None]:
        return self._router.stream(
            request,
            call.priced.model.id,
            # Of all prompts together: what those before have taken is gone.
            deadline_s=call.deadline_s,
            call=call.context.call,
            lesson=call.priced.size.lesson,
            schema_bound=call.priced.schema_bound,
            asker=asker,
        )

    def _as_admitted(self, call: PaidCall) -> Sequence[ChatRequest]:
        """Return the requests with answers as long as was admitted."""
        most = call.priced.max_tokens
        if not most:
            return self._requests
        return [
            msgspec.structs.replace(request, max_tokens=most, max_completion_tokens=None) for request in self._requests
        ]


def asker_of(call: PaidCall) -> Asker:
    """Return what the router must know of who asks."""
    caller, priced, deferral = call.context.known_caller, call.priced, call.context.deferral
    return Asker(
        caller.user_id,
        caller.models,
        priced.steered,
        # Whoever waits for an answer comes first.
        caller.tier if deferral is None else BATCH_TIER,
        priced.catalog.version,
        [model.id for model, _ in priced.candidates],
        "" if deferral is None else deferral.name,
    )


def tied(asker: Asker, model: str) -> Asker:
    """Return who asks for the prompts behind one that a model has answered: no other one, for it makes one bill."""
    return asker._replace(candidates=Candidates((model,), alone=True)) if model else asker


def joined(answers: Sequence[Completion], choices_each: int) -> Completion:
    """Return the answers as one, in the order of their prompts."""
    choices = tuple(
        msgspec.structs.replace(choice, index=choice.index + number * choices_each)
        for number, answer in enumerate(answers)
        for choice in answer.choices
    )
    queued_ms = sum(answer.route.queued_ms for answer in answers)
    stands_in = any(answer.route.stands_in for answer in answers)
    route = msgspec.structs.replace(answers[0].route, queued_ms=queued_ms, stands_in=stands_in)
    return Completion(route, choices, joined_end([answer.end for answer in answers]))


async def chained(
    asks: Sequence[Callable[[Asker], AsyncGenerator[list[StreamPart], None]]], choices_each: int, asker: Asker
) -> AsyncGenerator[list[StreamPart], None]:
    """Ask for one stream after the other, and yield them as one: the route of the first, the end of all."""
    ends: list[End] = []
    for number, ask in enumerate(asks):
        async with aclosing(ask(asker)) as stream:
            async for parts in stream:
                for part in parts:
                    if part.route is not None:
                        asker = tied(asker, part.route.model)
                        # The answer is told by the first: those behind are tied, so that none of them stands in.
                        part.route = None if number else part.route
                    _renumber(part, number * choices_each)
                    _add_up(part, ends, len(asks))
                yield parts


def _renumber(part: StreamPart, first: int) -> None:
    for delta in part.deltas:
        delta.index += first


def _add_up(part: StreamPart, ends: list[End], streams: int) -> None:
    """Make what a part says of usage and end true of all streams; `ends` are those of the streams that have ended."""
    if part.end is not None:
        ends.append(part.end)
        part.end = joined_end(ends) if len(ends) == streams else None
    if part.progress is not None:
        part.progress = total_usage([*(end.usage for end in ends), part.progress])


def joined_end(ends: Sequence[End]) -> End:
    """Return the sum of the ends; usage that one of them does not know is not known."""
    attempts: tuple[Attempt, ...] = tuple(attempt for end in ends for attempt in end.attempts)
    return End(
        total_usage([end.usage for end in ends]),
        attempts,
        ends[0].system_fingerprint,
    )
