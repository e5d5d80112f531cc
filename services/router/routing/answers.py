"""Emulates what a provider lacks: several choices, stop sequences, a whole answer from a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog
from msgspec.structs import replace

from servicekit import lifecycle
from servicekit.errors import Internal, ServiceError
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, Choice, Delta, FinishReason, Prompt, ToolCall, Usage
from services.router.domain.stop_sequences import MOST_NATIVE, StopCutter
from services.router.providers import failures
from services.router.providers.parallel import keep_answers
from services.router.providers.provider import Provider, ProviderCall, Traits
from services.router.providers.reading import as_batch

log = structlog.get_logger()

# What waits between the calls of one request and its reader: enough to keep all of them busy.
_WAITING = 16


async def whole(provider: Provider, prompt: Prompt, call: ProviderCall) -> Answer:
    """Return the whole answer with stop sequences, n and no more calls than wanted, whoever makes them."""
    prompt, traits = _within(prompt, call.model), provider.traits(call.model)
    if prompt.n is not None and prompt.n > 1 and not traits.choices:
        answer = await _each_choice(provider, prompt, call, prompt.n)
    elif (stops := _emulated_stops(prompt, traits)) and call.deferral and traits.defers:
        answer = await collected(cut_at_stop(_at_once(provider, prompt, call), stops))
    elif stops:
        # Streamed, so that the provider's work can be ended where the text is cut.
        answer = await collected(streamed(provider, prompt, call))
    else:
        answer = await provider.complete(prompt, call)
    if prompt.parallel_tool_calls is False:
        for choice in answer.choices:
            choice.tool_calls = choice.tool_calls[:1]
    return answer


def _within(prompt: Prompt, model: Model) -> Prompt:
    """Return the prompt with an answer no longer than this model's longest.

    Another model that may answer can have longer ones. This one's provider may take the caller's word for more, and
    only its own longest answer is held for at its price.
    """
    longest = model.max_output_tokens
    if prompt.max_tokens is None or not 0 < longest < prompt.max_tokens:
        return prompt
    return replace(prompt, max_tokens=longest)


async def _at_once(provider: Provider, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
    """Yield an answer that is not streamed."""
    yield as_batch(await provider.complete(prompt, call))


async def _each_choice(provider: Provider, prompt: Prompt, call: ProviderCall, count: int) -> Answer:
    """Return n choices of n calls; what an attempt before this one has answered is not asked for again."""
    kept, one = call.kept.answers, replace(prompt, n=None)
    missing = [number for number in range(count) if number not in kept]
    calls = list(zip(missing, _calls(call, len(missing)), strict=True))
    if call.deferral:
        name = call.deferral
        for number, each in calls:
            each.deferral = f"{name}#{number}"
    await keep_answers(kept, {number: whole(provider, one, each) for number, each in calls}, call.at_once(count))
    return _joined([kept[number] for number in range(count)])


def streamed(provider: Provider, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
    """Return the streamed answer with stop sequences, n and no more calls than wanted, whoever makes them."""
    prompt, traits = _within(prompt, call.model), provider.traits(call.model)
    if prompt.n is not None and prompt.n > 1 and not traits.choices:
        calls = _calls(call, prompt.n)
        one = replace(prompt, n=None)
        return merged([streamed(provider, one, each) for each in calls], call.at_once(prompt.n))
    batches = provider.stream(prompt, call)
    if prompt.parallel_tool_calls is False:
        batches = first_calls(batches)
    if stops := _emulated_stops(prompt, traits):
        call.ends_early = True
        return cut_at_stop(batches, stops)
    return batches


def _emulated_stops(prompt: Prompt, traits: Traits) -> Sequence[str]:
    """Return the stop sequences that the provider is not told."""
    return prompt.stop[MOST_NATIVE:] if traits.stop else prompt.stop


def _calls(call: ProviderCall, count: int) -> list[ProviderCall]:
    """Return one call for each choice; the first one reports for all."""
    return [call, *(replace(call, dropped=[]) for _ in range(count - 1))]


def _joined(answers: Sequence[Answer]) -> Answer:
    choices = [replace(answer.choices[0], index=index) for index, answer in enumerate(answers)]
    return Answer(choices, _total([answer.usage for answer in answers]))


def _total(usages: Sequence[Usage | None]) -> Usage | None:
    total = Usage(0, 0)
    for usage in usages:
        if usage is None:
            return None
        total = total + usage
    return total


async def cut_at_stop(batches: AsyncGenerator[Batch, None], stops: Sequence[str]) -> AsyncGenerator[Batch, None]:
    """Yield one choice's answer up to the first stop sequence, then end the provider's call."""
    cutter = StopCutter(stops)
    async with aclosing(batches):
        async for batch in batches:
            shown = [_cut(delta, cutter) for delta in batch.deltas]
            kept = [delta for delta in shown if delta.says_something]
            if kept or batch.usage is not None:
                yield Batch(kept, batch.usage)
            if cutter.matched:
                return


async def first_calls(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
    """Yield an answer with the first tool call of each choice only: not every provider keeps to it."""
    async with aclosing(batches):
        async for batch in batches:
            for delta in batch.deltas:
                if delta.tool_calls:
                    delta.tool_calls = [call for call in delta.tool_calls if call.index == 0]
            kept = [delta for delta in batch.deltas if delta.says_something]
            if kept or batch.usage is not None:
                yield Batch(kept, batch.usage)


def _cut(delta: Delta, cutter: StopCutter) -> Delta:
    if cutter.matched:
        return Delta(delta.choice_index)
    content = cutter.feed(delta.content)
    if cutter.matched:
        return replace(delta, content=content, tool_calls=(), finish_reason=FinishReason.STOP)
    if delta.finish_reason is not None or delta.tool_calls:
        content += cutter.flush()
    return replace(delta, content=content)


# A batch of a choice, or how the choice ended: None when it is whole.
_Item = tuple[int, Batch | ServiceError | None]


async def merged(sources: Sequence[AsyncGenerator[Batch, None]], at_once: int) -> AsyncGenerator[Batch, None]:
    """Yield the batches of several calls, so many at once, as they come, each with its choice's number."""
    slots = asyncio.Semaphore(at_once)
    queue: asyncio.Queue[_Item] = asyncio.Queue(_WAITING)
    usages: list[Usage | None] = [None] * len(sources)
    spoke, running = [False] * len(sources), len(sources)
    async with lifecycle.background() as tasks:
        for index, source in enumerate(sources):
            tasks.start(_forward(index, source, queue, slots), name="router.choice")
        while running:
            index, item = await queue.get()
            if isinstance(item, ServiceError):
                if (known := _total([usage for usage, heard in zip(usages, spoke, strict=True) if heard])) is not None:
                    # What the others have used is billed: said now, since the end will not come.
                    yield Batch([], known)
                raise item
            if item is None:
                running -= 1
                continue
            usages[index], spoke[index] = item.usage or usages[index], True
            deltas = [replace(delta, choice_index=index) for delta in item.deltas]
            yield Batch(deltas, _total(usages) if item.usage is not None else None)


async def _forward(
    index: int, source: AsyncGenerator[Batch, None], queue: asyncio.Queue[_Item], slots: asyncio.Semaphore
) -> None:
    # A failure travels in the queue: a task group would cancel the reader outside of this generator.
    try:
        async with slots, aclosing(source):
            async for batch in source:
                await queue.put((index, batch))
        await queue.put((index, None))
    except ServiceError as exc:
        await queue.put((index, exc))
    except Exception:
        log.exception("router.choice_failed")
        await queue.put((index, Internal()))


@dataclass(slots=True)
class _Gathered:
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    arguments: dict[int, list[str]] = field(default_factory=dict)
    finish: FinishReason | None = None

    def add(self, delta: Delta) -> None:
        self.content.append(delta.content)
        self.reasoning.append(delta.reasoning_content)
        self.finish = delta.finish_reason or self.finish
        for call in delta.tool_calls:
            self.calls.setdefault(call.index, call)
            self.arguments.setdefault(call.index, []).append(call.arguments)

    def choice(self, index: int) -> Choice:
        content = "".join(self.content)
        calls = [replace(self.calls[at], arguments="".join(self.arguments[at])) for at in sorted(self.calls)]
        if self.finish is None:
            raise failures.broken("The provider's answer broke off.")
        return Choice(index, None if calls and not content else content, self.finish, "".join(self.reasoning), calls)


async def collected(batches: AsyncGenerator[Batch, None]) -> Answer:
    """Return what a stream said as a whole.

    Raises:
        ServiceError: the stream broke off.
    """
    gathered: dict[int, _Gathered] = {}
    usage: Usage | None = None
    async with aclosing(batches):
        async for batch in batches:
            usage = batch.usage or usage
            for delta in batch.deltas:
                gathered.setdefault(delta.choice_index, _Gathered()).add(delta)
    if not gathered:
        raise failures.broken("The provider's answer is empty.")
    return Answer([gathered[index].choice(index) for index in sorted(gathered)], usage)
