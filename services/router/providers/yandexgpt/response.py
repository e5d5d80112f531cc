"""Converts YandexGPT's native API to OpenAI's terms: whole answers, NDJSON streams, errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router import metrics
from services.router.domain.completion import Answer, Choice, Delta, FinishReason, ToolCall, Usage, Vectors
from services.router.domain.tool_call_id import CallState, ToolCallIds
from services.router.providers import failures
from services.router.providers.answer_stream import AnswerStream
from services.router.providers.ended import ended_with
from services.router.providers.figures import usage_of
from services.router.providers.parameters import arguments_text
from services.router.providers.yandexgpt.cumulative_text import CumulativeText

log = structlog.get_logger()

PARTIAL: Final = "ALTERNATIVE_STATUS_PARTIAL"
FINISH_OF: Final[dict[str, FinishReason]] = {
    "ALTERNATIVE_STATUS_FINAL": FinishReason.STOP,
    "ALTERNATIVE_STATUS_TRUNCATED_FINAL": FinishReason.LENGTH,
    "ALTERNATIVE_STATUS_CONTENT_FILTER": FinishReason.CONTENT_FILTER,
    "ALTERNATIVE_STATUS_TOOL_CALLS": FinishReason.TOOL_CALLS,
}


class _Function(msgspec.Struct, gc=False):
    name: str = ""
    arguments: Any = None


class _Call(msgspec.Struct, gc=False):
    functionCall: _Function | None = None  # noqa: N815


class _CallList(msgspec.Struct, gc=False):
    toolCalls: list[_Call] | None = None  # noqa: N815


class _Message(msgspec.Struct, gc=False):
    text: str | None = None
    toolCallList: _CallList | None = None  # noqa: N815


class _Alternative(msgspec.Struct, gc=False):
    message: _Message | None = None
    status: str = ""


class _Details(msgspec.Struct, gc=False):
    reasoningTokens: Any = None  # noqa: N815


class _Usage(msgspec.Struct, gc=False):
    inputTextTokens: Any = None  # noqa: N815
    completionTokens: Any = None  # noqa: N815
    completionTokensDetails: _Details | None = None  # noqa: N815


class _Result(msgspec.Struct, gc=False):
    alternatives: list[_Alternative] | None = None
    usage: _Usage | None = None
    modelVersion: str = ""  # noqa: N815


class _Error(msgspec.Struct, gc=False):
    message: str = ""
    httpCode: int = 0  # noqa: N815
    grpcCode: int = 0  # noqa: N815
    code: int = 0

    def status(self) -> int:
        """Return the HTTP status; a gRPC code may be all that is said."""
        grpc = self.grpcCode or self.code
        return self.httpCode or (failures.status_of_grpc(grpc) if grpc else 500)


class _Line(msgspec.Struct, gc=False):
    result: _Result | None = None
    error: _Error | None = None


class _Flat(msgspec.Struct, gc=False):
    error: Any = None
    message: str = ""
    code: int = 0

    def as_error(self) -> _Error | None:
        message = self.message or (self.error if isinstance(self.error, str) else "")
        # That is said of an address that is none.
        return _Error(message, code=self.code) if message and message.lower() != "not found" else None


class _Vector(msgspec.Struct, gc=False):
    embedding: list[float]
    numTokens: Any = None  # noqa: N815


# Not strict: every int64 comes as a string.
_LINE: Final = msgspec.json.Decoder(_Line, strict=False)
_FLAT: Final = msgspec.json.Decoder(_Flat, strict=False)
_VECTOR: Final = msgspec.json.Decoder(_Vector, strict=False)


def _decoded(line: bytes) -> _Result:
    try:
        message = _LINE.decode(line)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc
    if message.error is not None:
        raise native_error(message.error.status(), message.error)
    if message.result is None or not message.result.alternatives:
        raise failures.broken("The provider's answer is empty.")
    return message.result


def _only(result: _Result) -> _Alternative:
    return result.alternatives[0] if result.alternatives else _Alternative()


def _usage(raw: _Usage | None) -> Usage | None:
    if raw is None:
        return None
    details = raw.completionTokensDetails
    reasoning = details.reasoningTokens if details is not None else None
    return usage_of(raw.inputTextTokens, raw.completionTokens, reasoning=reasoning)


def _finish(status: str, *, has_calls: bool) -> FinishReason:
    known = FINISH_OF.get(status)
    if known is None:
        metrics.UNKNOWN_FINISHES.labels("yandexgpt").inc()
        log.warning("router.finish_unknown", provider="yandexgpt", status=failures.shortened(status)[:80])
        known = FinishReason.STOP
    return ended_with(known, has_calls=has_calls)


def _tool_calls(calls: Sequence[_Call], ids: ToolCallIds) -> list[ToolCall]:
    functions = [call.functionCall for call in calls if call.functionCall is not None]
    return [
        ToolCall(ids.encode(CallState(function.name)), function.name, arguments_text(function.arguments), index)
        for index, function in enumerate(functions)
    ]


def whole_answer(body: bytes, ids: ToolCallIds) -> tuple[Answer, str]:
    """Return the answer and the model's build; of a body of several lines the last one counts.

    Raises:
        ServiceError: an error, or nonsense.
    """
    result = _decoded(_last_document(body))
    alternative = _only(result)
    if alternative.status == PARTIAL:
        raise failures.broken("The provider's answer broke off.")
    message = alternative.message or _Message()
    calls = _tool_calls((message.toolCallList.toolCalls or ()) if message.toolCallList else (), ids)
    content = None if calls and not message.text else message.text or ""
    finish = _finish(alternative.status, has_calls=bool(calls))
    return Answer([Choice(0, content, finish, "", calls)], _usage(result.usage)), result.modelVersion


def _last_document(body: bytes) -> bytes:
    """Return the body if it is one document, however it is laid out, else its last line."""
    before, _, last = body.strip().rpartition(b"\n")
    if not before:
        return last
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except failures.UNREADABLE:
        return last
    return body


class NativeStream(AnswerStream):
    """Maps the lines of one stream to batches."""

    __slots__ = ("_calls", "_ids", "_text")

    def __init__(self, ids: ToolCallIds, hold_back: int) -> None:
        super().__init__()
        self._ids = ids
        self._text = CumulativeText(hold_back)
        self._calls: Sequence[_Call] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the last line has been read: none but the last says why the answer ended."""
        return self.done

    def _take(self, data: bytes, deltas: list[Delta]) -> Usage | None:
        """Add what one line says to `deltas`; return the usage when it says it."""
        if not data.strip():
            return None
        result = _decoded(data)
        self.fingerprint = result.modelVersion or self.fingerprint
        if (delta := self._delta(_only(result))) is not None:
            deltas.append(delta)
        return _usage(result.usage)

    def _delta(self, alternative: _Alternative) -> Delta | None:
        message = alternative.message or _Message()
        if message.toolCallList is not None and message.toolCallList.toolCalls:
            self._calls = message.toolCallList.toolCalls
        if alternative.status == PARTIAL:
            fresh = self._text.partial(message.text or "")
            return Delta(0, fresh) if fresh else None
        self.done = True
        calls = _tool_calls(self._calls, self._ids)
        finish = _finish(alternative.status, has_calls=bool(calls))
        # Appended to what was shown, the filter's own text made nonsense.
        last = self._text.in_place_of if finish is FinishReason.CONTENT_FILTER else self._text.final
        # A list of calls has no text: what was said before it stands.
        fresh = last(message.text) if message.text else ""
        if self._text.rewrites:
            metrics.STREAM_REWRITES.labels("yandexgpt").inc()
        return Delta(0, fresh, "", calls, finish)


def vectors(body: bytes) -> Vectors:
    """Return the one embedding that a reply holds.

    Raises:
        ProviderFailed: nonsense.
    """
    try:
        decoded = _VECTOR.decode(body)
    except failures.UNREADABLE as exc:
        raise failures.broken("The provider's answer is malformed.") from exc
    return Vectors([decoded.embedding], usage_of(decoded.numTokens, 0))


_TOO_MANY_TOKENS: Final = re.compile(r"number of input tokens must be no more than \d+", re.IGNORECASE)
_TEXT_LENGTH: Final = re.compile(r"text length is (\d+), which is outside")
_FOLDER: Final = re.compile(r"folder id|service account folder", re.IGNORECASE)


def error_of(status: int, headers: Mapping[str, str], body: bytes, clock: Clock) -> ServiceError:
    """Return the error of an HTTP answer that is not 200; the body may be anything."""
    error = _error_in(body)
    if status == 404 and error is None:
        return failures.wrong_address("yandexgpt")
    return native_error(status, error or _Error(), failures.retry_after(headers, clock))


def _error_in(body: bytes) -> _Error | None:
    """Return the error of a body: under its name, or, as other services of the cloud say it, the body itself."""
    for decoder in (_LINE, _FLAT):
        try:
            found = decoder.decode(body)
        except failures.UNREADABLE:
            continue
        error = found.error if isinstance(found, _Line) else found.as_error()
        if error is not None:
            return error
    return None


def native_error(status: int, error: _Error, retry_after_s: float | None = None) -> ServiceError:
    """Return the ServiceError of a native error; decided by code, by text only within 400 and 429."""
    if status in (400, 413, 422):
        return _invalid(status, error.message[: failures.MOST_READ])
    if status == 429:
        return failures.over_quota(error.message[: failures.MOST_READ], retry_after_s)
    if status in (401, 403):
        return failures.refused_us()
    if status == 404:
        return failures.no_such_model()
    if status in (408, 504):
        return failures.slow("The provider ran out of time.")
    if status == 501:
        return failures.broken_for_good("The provider does not implement this.")
    if 300 <= status < 400:
        return failures.broken_for_good("The provider redirected the call, which is not followed.")
    if status in (502, 503, 529):
        return failures.unavailable(retry_after_s)
    return failures.broken()


def _invalid(status: int, said: str) -> ServiceError:
    message = failures.without_folders(said)
    length = _TEXT_LENGTH.search(message)
    if status == 413 or _TOO_MANY_TOKENS.search(message) or (length and int(length[1]) > 0):
        return failures.too_long(message)
    if _FOLDER.search(message):
        # The ids of folders are nobody's business.
        return failures.bad_request("The provider's folder does not match the credentials.")
    if "model_uri" in message.lower() or "model uri" in message.lower() or "get model" in message.lower():
        return failures.bad_request("The provider refused the model's address.", "model")
    return failures.bad_request(message)
