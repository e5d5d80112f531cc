"""Converts answers in the OpenAI dialect: whole answers, SSE chunks, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router import metrics
from services.router.domain.completion import Answer, Choice, Delta, FinishReason, ToolCall, Usage, Vectors
from services.router.domain.marker_remover import MarkerRemover
from services.router.providers import failures
from services.router.providers.answer_stream import AnswerStream
from services.router.providers.ended import ended_with
from services.router.providers.figures import token_count, usage_of
from services.router.providers.openai_dialect import wire
from services.router.providers.openai_dialect.calls import NO_ARGUMENTS, Calls, StreamedCalls
from services.router.providers.openai_dialect.errors import openai_error, status_inside
from services.router.providers.openai_dialect.finishes import finish_of
from services.router.providers.openai_dialect.quirks import Quirks

DONE: Final = b"[DONE]"


def _decoded(body: bytes, clock: Clock) -> wire.Chunk:
    chunk = _chunk(body)
    if (error := _error_in(chunk, body, clock)) is not None:
        raise error
    return chunk


def _chunk(body: bytes) -> wire.Chunk:
    try:
        return wire.CHUNK.decode(body)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc


def _error_in(chunk: wire.Chunk, body: bytes, clock: Clock) -> ServiceError | None:
    if not chunk.error and chunk.object != "error":
        return None
    error = chunk.error or msgspec.json.decode(body)
    return openai_error(status_inside(error), {}, error, clock)


def _usage(raw: wire.UsageSaid | None) -> Usage | None:
    if raw is None or raw.prompt_tokens is None:
        return None
    completion = raw.completion_tokens
    asked, made, thought = map(token_count, (raw.prompt_tokens, completion, raw.thought))
    if asked is not None and made is not None and thought and token_count(raw.total_tokens) == asked + made + thought:
        # xAI leaves thoughts out of the completion, and bills them.
        completion = made + thought
    return usage_of(raw.prompt_tokens, completion, cached=raw.cached, reasoning=raw.thought)


def whole_answer(body: bytes, calls: Calls, quirks: Quirks, clock: Clock) -> tuple[Answer, str]:
    """Return the answer and the model's build.

    Raises:
        ServiceError: an error inside, or nonsense.
    """
    chunk = _decoded(body, clock)
    if not chunk.choices:
        raise failures.broken("The provider's answer is empty.")
    are_numbered = len({choice.index for choice in chunk.choices} - {None}) == len(chunk.choices)
    choices = [
        _whole_choice(choice, choice.index if are_numbered and choice.index is not None else at, calls, quirks)
        for at, choice in enumerate(chunk.choices)
    ]
    return Answer(choices, _usage(chunk.usage)), chunk.system_fingerprint or ""


def _whole_choice(choice: wire.Choice, index: int, calls: Calls, quirks: Quirks) -> Choice:
    said = choice.said
    made = calls.whole(said.calls)
    content = said.text
    if quirks.leaked_marker and calls.is_forced:
        content = content.replace(quirks.leaked_marker, "")
    finish = ended_with(finish_of(choice.finish_reason or "stop", quirks.provider), has_calls=bool(made))
    if finish is FinishReason.TOOL_CALLS:
        for call in made:
            call.arguments = call.arguments or NO_ARGUMENTS
    return Choice(index, None if made and not content else content, finish, said.thoughts, made)


class ChunkStream(AnswerStream):
    """Maps the events of one stream to batches; knows which choices have ended."""

    def __init__(self, calls: Calls, quirks: Quirks, clock: Clock, *, choices: int) -> None:
        super().__init__()
        self._calls = calls
        self._quirks = quirks
        self._clock = clock
        self._marker = quirks.leaked_marker if calls.is_forced else ""
        self._open = set(range(choices))
        self._heard: set[int] = set()
        self._has_said = False
        self._called: dict[int, StreamedCalls] = {}
        self._markers: dict[int, MarkerRemover] = {}
        self._shown: dict[int, list[str]] = {}

    def _take(self, data: bytes, deltas: list[Delta]) -> Usage | None:
        """Add what one event says to `deltas`; return the usage when it says it."""
        if data.strip() == DONE:
            self.done = True
            deltas.extend(self._ends())
            return None
        chunk = _chunk(data)
        if (error := _error_in(chunk, data, self._clock)) is not None:
            return self._usage_before(error, chunk)
        self.fingerprint = chunk.system_fingerprint or self.fingerprint
        for choice in chunk.choices or ():
            delta = self._delta(choice)
            if delta.says_something:
                self._has_said = True
                deltas.append(delta)
        return None if chunk.usage is None else _usage(chunk.usage)

    def _usage_before(self, error: ServiceError, chunk: wire.Chunk) -> Usage | None:
        """Return what is billed of the answer that an error ends, if it says so; of none that began, others are asked.

        Raises:
            ServiceError: nothing is to be told before it.
        """
        usage = _usage(chunk.usage) if self._has_said else None
        if usage is None:
            raise error
        self.failure = error
        return usage

    @property
    def is_whole(self) -> bool:
        """Whether every choice has said why it ended."""
        return not self._open

    def _delta(self, choice: wire.Choice) -> Delta:
        said, index = choice.said, choice.index or 0
        self._heard.add(index)
        calls = self._pieces(index, said.calls) if said.tool_calls else ()
        finish = None
        if choice.finish_reason and index in self._open:
            finish = self._ended(index, choice.finish_reason)
            calls = [*calls, *self._unsaid_arguments(index, finish)]
        content = said.text
        if self._quirks.filter_replaces and content:
            content = self._unless_replaced(index, content, finish)
        if self._marker and content:
            content = self._unmarked(index, content)
        if finish is not None:
            content += self._rest(index)
        return Delta(index, content, said.thoughts, calls, finish)

    def _pieces(self, index: int, calls: Sequence[wire.Call]) -> Sequence[ToolCall]:
        if index not in self._called:
            self._called[index] = StreamedCalls(self._calls)
        return self._called[index].pieces(calls)

    def _ended(self, index: int, reason: str) -> FinishReason:
        self._open.discard(index)
        return ended_with(finish_of(reason, self._quirks.provider), has_calls=index in self._called)

    def _unless_replaced(self, index: int, content: str, finish: FinishReason | None) -> str:
        """Return what is new in a piece: the filter's is no piece, but all that is left of the text.

        What was shown cannot be recalled: a text in place of it is not added to it.
        """
        shown = self._shown.setdefault(index, [])
        if finish is FinishReason.CONTENT_FILTER:
            before = "".join(shown)
            return content[len(before) :] if content.startswith(before) else ""
        shown.append(content)
        return content

    def _unmarked(self, index: int, content: str) -> str:
        return self._markers.setdefault(index, MarkerRemover(self._marker)).feed(content)

    def _rest(self, index: int) -> str:
        marker = self._markers.get(index)
        return marker.flush() if marker is not None else ""

    def _ends(self) -> list[Delta]:
        """Return the ends that were not said: Alice AI says none after a tool call.

        A choice of which nothing came is none: llama.cpp and Ollama make one answer, however many are asked for.

        Raises:
            ProviderFailed: nothing came at all.
        """
        if not self._heard:
            raise failures.broken("The provider's answer is empty.")
        unsaid = sorted(self._open & self._heard)
        self._open.clear()
        return [self._end(index, self._unsaid_finish(index)) for index in unsaid]

    def _end(self, index: int, finish: FinishReason) -> Delta:
        return Delta(index, self._rest(index), "", self._unsaid_arguments(index, finish), finish)

    def _unsaid_arguments(self, index: int, finish: FinishReason) -> Sequence[ToolCall]:
        """Return the arguments of calls that have none; those of an answer that was cut may have been meant to come."""
        return self._called[index].unsaid() if finish is FinishReason.TOOL_CALLS and index in self._called else ()

    def _unsaid_finish(self, index: int) -> FinishReason:
        if index in self._called:
            return FinishReason.TOOL_CALLS
        metrics.UNKNOWN_FINISHES.labels(self._quirks.provider).inc()
        return FinishReason.STOP


def vectors(body: bytes) -> Vectors:
    """Return the embeddings of an answer, in the order of the texts.

    Raises:
        ProviderFailed: nonsense.
    """
    try:
        decoded = wire.VECTORS.decode(body)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc
    ordered = sorted(decoded.data, key=lambda item: item.index)
    return Vectors([item.embedding for item in ordered], _usage(decoded.usage))
