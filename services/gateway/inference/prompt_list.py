"""Several prompts in one request (the older form allows it): one answer whose choices are numbered through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from services.gateway.clients.completion import Completion, End, StreamPart
from services.gateway.metering.usage_record import Attempt, TokenUsage


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
