"""Converts GigaChat's API v1 to OpenAI's terms: whole answers, SSE streams, embeddings, errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, invalid_parameter
from services.router import metrics
from services.router.domain.completion import Answer, Choice, Delta, FinishReason, ToolCall, Usage, Vectors
from services.router.domain.tool_call_id import CallState, ToolCallIds
from services.router.providers import failures
from services.router.providers.answer_stream import AnswerStream
from services.router.providers.ended import ended_with
from services.router.providers.figures import token_count, usage_of
from services.router.providers.parameters import arguments_text

log = structlog.get_logger()

FINISH_OF: Final[dict[str, FinishReason]] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "function_call": FinishReason.TOOL_CALLS,
    "blacklist": FinishReason.CONTENT_FILTER,
}
DONE: Final = b"[DONE]"
# A built-in function at work: its text is a notice, not an answer.
_IN_PROGRESS: Final = "function_in_progress"


class _Function(msgspec.Struct, gc=False):
    name: str = ""
    arguments: Any = None


class _Said(msgspec.Struct, gc=False):
    content: str | None = None
    role: str = ""
    function_call: _Function | None = None
    functions_state_id: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    precached_prompt_tokens: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str = ""
    status: int | str | None = None
    message: Any = None
    error: Any = None


class _VectorUsage(msgspec.Struct, gc=False):
    prompt_tokens: Any = None


class _Vector(msgspec.Struct, gc=False):
    embedding: list[float]
    index: int = 0
    usage: _VectorUsage | None = None


class _Vectors(msgspec.Struct, gc=False):
    data: list[_Vector]


_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_VECTORS: Final = msgspec.json.Decoder(_Vectors)
_NOTHING_SAID: Final = _Said()


def _decoded(body: bytes, clock: Clock) -> _Chunk:
    try:
        chunk = _CHUNK.decode(body)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc
    if chunk.error or (chunk.choices is None and isinstance(chunk.status, int) and chunk.status >= 400):
        status = chunk.status if isinstance(chunk.status, int) else 500
        raise api_error(status, {}, _text(chunk.message), clock, is_json=True)
    return chunk


def _usage(raw: _Usage | None) -> Usage | None:
    if raw is None:
        return None
    # Cached tokens are left out of prompt_tokens on the wire; OpenAI counts them in.
    cached, prompt = token_count(raw.precached_prompt_tokens), token_count(raw.prompt_tokens)
    told = None if prompt is None else prompt + (cached or 0)
    return usage_of(told if told is not None else raw.prompt_tokens, raw.completion_tokens, cached=cached)


def _finish(reason: str) -> FinishReason:
    if reason == "error":
        raise failures.broken("The model made a function call that cannot be read.")
    known = FINISH_OF.get(reason)
    if known is None:
        metrics.UNKNOWN_FINISHES.labels("gigachat").inc()
        log.warning("router.finish_unknown", provider="gigachat", status=failures.shortened(reason)[:80])
        return FinishReason.STOP
    return known


def _build(model: str) -> str:
    """Return the build behind the model's name: `2.0.30.01` of `GigaChat-2-Max:2.0.30.01`."""
    return model.partition(":")[2] or model


def _tool_call(function: _Function, state_id: str, ids: ToolCallIds) -> ToolCall:
    return ToolCall(ids.encode(CallState(function.name, state_id)), function.name, arguments_text(function.arguments))


def whole_answer(body: bytes, ids: ToolCallIds, clock: Clock) -> tuple[Answer, str]:
    """Return the answer and the model's build.

    Raises:
        ServiceError: an error inside, or nonsense.
    """
    chunk = _decoded(body, clock)
    if not chunk.choices or chunk.choices[0].message is None:
        raise failures.broken("The provider's answer is empty.")
    said = chunk.choices[0].message
    calls = [_tool_call(said.function_call, said.functions_state_id or "", ids)] if said.function_call else []
    finish = ended_with(_finish(chunk.choices[0].finish_reason or "stop"), has_calls=bool(calls))
    content = None if calls and not said.content else said.content or ""
    choice = Choice(0, content, finish, said.reasoning_content or "", calls)
    return Answer([choice], _usage(chunk.usage)), _build(chunk.model)


class SseStream(AnswerStream):
    """Maps the events of one stream to batches."""

    __slots__ = ("_clock", "_finished", "_function", "_heard", "_ids", "_state_id")

    def __init__(self, ids: ToolCallIds, clock: Clock) -> None:
        super().__init__()
        self._ids = ids
        self._clock = clock
        self._function: _Function | None = None
        self._state_id = ""
        self._finished = self._heard = False

    @property
    def is_whole(self) -> bool:
        """Whether the answer has said why it ended."""
        return self._finished

    def _take(self, data: bytes, deltas: list[Delta]) -> Usage | None:
        """Add what one event says to `deltas`; return the usage when it says it."""
        if data.strip() == DONE:
            self.done = True
            if not self._heard:
                raise failures.broken("The provider's answer is empty.")
            if not self._finished:
                deltas.append(self._end("function_call" if self._function else "stop", "", ""))
            return None
        chunk = _decoded(data, self._clock)
        if chunk.model:
            self.fingerprint = _build(chunk.model)
        self._heard = self._heard or bool(chunk.choices)
        if chunk.choices and not self._finished and (delta := self._delta(chunk.choices[0])) is not None:
            deltas.append(delta)
        return _usage(chunk.usage)

    def _delta(self, choice: _Choice) -> Delta | None:
        said = choice.delta or choice.message or _NOTHING_SAID
        # The call is given out at the end, when its state id is known for sure: the id must carry it.
        self._function = said.function_call or self._function
        self._state_id = said.functions_state_id or self._state_id
        content = "" if said.role == _IN_PROGRESS else said.content or ""
        reasoning = said.reasoning_content or ""
        if choice.finish_reason:
            return self._end(choice.finish_reason, content, reasoning)
        return Delta(0, content, reasoning) if content or reasoning else None

    def _end(self, reason: str, content: str, reasoning: str) -> Delta:
        finish = _finish(reason)
        self._finished = True
        calls = [_tool_call(self._function, self._state_id, self._ids)] if self._function else []
        return Delta(0, content, reasoning, calls, ended_with(finish, has_calls=bool(calls)))


def vectors(body: bytes) -> Vectors:
    """Return the embeddings of an answer, in the order of the texts; usage sits in every item.

    Raises:
        ProviderFailed: nonsense.
    """
    try:
        decoded = _VECTORS.decode(body)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc
    ordered = sorted(decoded.data, key=lambda item: item.index)
    counts = [token_count(item.usage.prompt_tokens) for item in ordered if item.usage is not None]
    known = [count for count in counts if count is not None]
    usage = usage_of(sum(known), 0) if len(known) == len(ordered) else None
    return Vectors([item.embedding for item in ordered], usage)


# Of one definition, or of one text; the messages are not at fault.
_TOO_LARGE: Final = re.compile(r"tokens limit exceeded for index (\d+)", re.IGNORECASE)
_ABOUT_A_FILE: Final = re.compile(r"\b(file|attachment)", re.IGNORECASE)
# A wrong `max_tokens` speaks of tokens, too, and is no matter of length.
_TOO_LONG: Final = re.compile(
    r"tokens? limit|limit of tokens|too many tokens|context length|maximum number of (input )?tokens", re.IGNORECASE
)


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, clock: Clock, indexed: str = "tools"
) -> ServiceError:
    """Return the error of an HTTP answer that is not 200; the body may be anything.

    Args:
        indexed: the field that the provider counts when it says which item is too large.
    """
    try:
        message, is_json = _text(_CHUNK.decode(body).message), True
    except failures.UNREADABLE:
        message, is_json = "", False
    return api_error(status, headers, message, clock, is_json=is_json, indexed=indexed)


def api_error(
    status: int, headers: Mapping[str, str], message: str, clock: Clock, *, is_json: bool, indexed: str = "tools"
) -> ServiceError:
    """Return the ServiceError of an API error; decided by status, by text only for long prompts."""
    if (index := _TOO_LARGE.search(message)) is not None:
        return failures.item_too_large(indexed, index[1], message)
    if status == 413 or (status in (400, 422) and _TOO_LONG.search(message)):
        return failures.too_long(message)
    if status in (400, 422):
        return failures.bad_request(message)
    if status == 402:
        return failures.out_of_money()
    if status == 403 and not is_json:
        # The balancer's page for a wrong path or host: a fresh token would not help.
        return failures.wrong_address("gigachat")
    if status in (401, 403):
        return failures.refused_us()
    if status == 404 and _ABOUT_A_FILE.search(message):
        return invalid_parameter("messages", "A file that the messages show is not there any more.")
    if status == 404:
        return failures.no_such_model() if is_json else failures.wrong_address("gigachat")
    if status == 429:
        wish = failures.retry_after(headers, clock)
        return failures.rate_limited(wish, limit="concurrency")
    if status in (408, 504):
        return failures.slow("The provider ran out of time.")
    if status == 501 or 300 <= status < 400:
        return failures.broken_for_good("The provider does not take this call.")
    if status in (502, 503, 529):
        return failures.unavailable(failures.retry_after(headers, clock))
    return failures.broken()


def _text(message: Any) -> str:
    return message[: failures.MOST_READ] if isinstance(message, str) else ""
