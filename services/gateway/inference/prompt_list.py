"""Several prompts in one request (the older form allows it): one answer whose choices are numbered through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from services.gateway.clients.completion import Completion, End, StreamPart
from services.gateway.clients.router import RouterClient
from services.gateway.inference.paid_call import PaidCall
from services.gateway.inference.schemas import ChatRequest
from services.gateway.metering.usage_record import Attempt, TokenUsage


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
        model, context = call.priced.model.id, call.context.call
        answers = [
            await self._router.complete(request, model, deadline_s=call.deadline_s, call=context)
            for request in self._requests
        ]
        return answers[0] if len(answers) == 1 else joined(answers, self._requests[0].n or 1)

    def stream(self, call: PaidCall) -> AsyncGenerator[StreamPart, None]:
        """Return the answer as it is made.

        Raises:
            ServiceError: what the router says went wrong, while it is read.
        """
        model, context, deadline_s = call.priced.model.id, call.context.call, call.deadline_s
        streams = [
            self._router.stream(request, model, deadline_s=deadline_s, call=context) for request in self._requests
        ]
        return streams[0] if len(streams) == 1 else chained(streams, self._requests[0].n or 1)


def joined(answers: Sequence[Completion], choices_each: int) -> Completion:
    """Return the answers as one, in the order of their prompts."""
    choices = tuple(
        msgspec.structs.replace(choice, index=choice.index + number * choices_each)
        for number, answer in enumerate(answers)
        for choice in answer.choices
    )
    return Completion(answers[0].route, choices, joined_end([answer.end for answer in answers]))


async def chained(
    streams: Sequence[AsyncGenerator[StreamPart, None]], choices_each: int
) -> AsyncGenerator[StreamPart, None]:
    """Yield one stream after the other as one: the route of the first, the end of all."""
    ends: list[End] = []
    for number, stream in enumerate(streams):
        async with aclosing(stream):
            async for part in stream:
                for delta in part.deltas:
                    delta.index += number * choices_each
                if part.end is not None:
                    ends.append(part.end)
                    part.end = joined_end(ends) if len(ends) == len(streams) else None
                if part.progress is not None:
                    part.progress = sum_usage([*(end.usage for end in ends), part.progress])
                yield part


def joined_end(ends: Sequence[End]) -> End:
    """Return the sum of the ends; usage that one of them does not know is not known."""
    attempts: tuple[Attempt, ...] = tuple(attempt for end in ends for attempt in end.attempts)
    return End(
        sum_usage([end.usage for end in ends]),
        any(end.usage_is_estimate for end in ends),
        attempts,
        ends[0].system_fingerprint,
    )


def sum_usage(usages: Sequence[TokenUsage | None]) -> TokenUsage | None:
    """Return the sum, or None when a part is not known."""
    known = [usage for usage in usages if usage is not None]
    if len(known) < len(usages):
        return None
    return TokenUsage(
        sum(usage.tokens_input for usage in known),
        sum(usage.tokens_output for usage in known),
        sum(usage.tokens_cached for usage in known),
        sum(usage.tokens_reasoning for usage in known),
    )
