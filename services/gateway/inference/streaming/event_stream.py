"""Deltas -> SSE frames, byte for byte as OpenAI's. Only what varies is encoded; the rest is prepared once a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from servicekit.errors import ServiceError
from services.gateway.clients.completion import Delta, ToolCallPart
from services.gateway.edge.problems import encode_body
from services.gateway.inference.openai_bodies import AnswerHead, encode, legacy_finish, usage_body
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.schemas.inference import StreamOptions

DONE: Final = b"data: [DONE]\n\n"
KEEPALIVE: Final = b": keep-alive\n\n"
# What JSON leaves as it is, and what clients that split text by Unicode's rules take for ends of lines.
_LINE_ENDS: Final = tuple((char.encode(), f"\\u{ord(char):04x}".encode()) for char in "\u0085\u2028\u2029")


class Frames(Protocol):
    """Renders one stream: what an endpoint with a shape of its own brings along."""

    def deltas(self, deltas: Sequence[Delta]) -> bytes:
        """Return the frames of one router message, joined: one write."""
        ...

    def explain(self, facts: Mapping[str, str]) -> None:
        """Say in the frames that end a choice what the headers could not say, for they had left."""
        ...

    def built_as(self, fingerprint: str) -> None:
        """Note the build of the model that answered, for whoever says it; it comes with the end, before its frames."""
        ...

    def end(self, usage: TokenUsage, cost_micro_rub: int) -> bytes:
        """Return the frames after the last delta of a whole answer."""
        ...

    def error(self, error: ServiceError, request_id: str) -> bytes:
        """Return the frame that ends a broken stream."""
        ...


def event(name: str, data: bytes) -> bytes:
    """Return one named event; `data` is JSON."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def escape_line_ends(frames: bytes) -> bytes:
    """Return frames of JSON whose only line ends are those between the fields of events."""
    for raw, escaped in _LINE_ENDS:
        if raw in frames:
            frames = frames.replace(raw, escaped)
    return frames


def includes_usage(options: StreamOptions | None) -> bool:
    """Tell whether the caller wants the usage at the end of its stream."""
    return bool(options and options.include_usage)


class OpenAIFrames:
    """What the streams of both OpenAI endpoints share: the head of every object, and the end."""

    def __init__(self, object: str, head: AnswerHead, *, include_usage: bool) -> None:
        text = encode({"id": head.id, "object": object, "created": head.created, "model": head.model})[:-1]
        self._head = b"data: " + text
        self._include_usage = include_usage
        # With include_usage every other chunk says `"usage":null`.
        self._close = self._last_close = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._build = self._facts = b""

    def explain(self, facts: Mapping[str, str]) -> None:
        """Say in the frames that end a choice what the headers could not say, for they had left."""
        self._facts = b',"x_razvilka":' + encode(facts)
        self._say_last()

    def built_as(self, fingerprint: str) -> None:
        """Say in the last frames which build of the model answered, if anybody knows."""
        self._build = b',"system_fingerprint":' + encode(fingerprint) if fingerprint else b""
        self._say_last()

    def _say_last(self) -> None:
        self._last_close = self._close.replace(b"}", self._build + self._facts + b"}")

    def end(self, usage: TokenUsage, cost_micro_rub: int) -> bytes:
        """Return the frame with the usage, when the caller asked for it, and [DONE]."""
        if not self._include_usage:
            return DONE
        told = encode(usage_body(usage, cost_micro_rub)) + self._build
        return self._head + b',"choices":[],"usage":' + told + b"}\n\n" + DONE

    def error(self, error: ServiceError, request_id: str) -> bytes:
        """Return the frame that ends a broken stream; no [DONE] follows it."""
        return event("error", encode_body(error, request_id))


class ChatFrames(OpenAIFrames):
    """Frames of chat.completion.chunk objects."""

    def __init__(self, head: AnswerHead, *, include_usage: bool, legacy: bool) -> None:
        super().__init__("chat.completion.chunk", head, include_usage=include_usage)
        self._legacy = legacy
        self._open: dict[int, bytes] = {}
        # Of the `functions` dialect: the call that each choice has.
        self._called: dict[int, int] = {}
        # Of every chunk but the one that ends a choice.
        self._goes_on = _finish(b"null") + self._close

    def deltas(self, deltas: Sequence[Delta]) -> bytes:
        """Return the frames of one router message, joined: one write."""
        frames, index, choice = [], -1, b""
        for delta in deltas:
            if delta.index != index:
                index, choice = delta.index, self._open.get(delta.index, b"")
            if not choice:
                choice = self._open[index] = self._choice(index)
                frames.append(choice + b'{"role":"assistant","content":"","refusal":null}' + self._goes_on)
            if delta.content and not delta.reasoning:
                frames.append(choice + b'{"content":' + encode(delta.content) + b"}" + self._goes_on)
            elif delta.reasoning:
                frames.append(choice + encode(_reasoned(delta)) + self._goes_on)
            for call in delta.tool_calls:
                if self._legacy and self._called.setdefault(delta.index, call.index) != call.index:
                    # That dialect has one call an answer; pieces of two would be read as one.
                    continue
                frames.append(choice + encode(self._tool_call(call)) + self._goes_on)
            if delta.finish_reason:
                finish = legacy_finish(delta.finish_reason) if self._legacy else delta.finish_reason
                frames.append(choice + b"{}" + _finish(encode(finish)) + self._last_close)
        return b"".join(frames)

    def _choice(self, index: int) -> bytes:
        return self._head + b',"choices":[{"index":%d,"delta":' % index

    def _tool_call(self, call: ToolCallPart) -> dict[str, Any]:
        # The first piece carries the name; later ones only more of the arguments.
        function = {"name": call.name, "arguments": call.arguments} if call.name else {"arguments": call.arguments}
        if self._legacy:
            return {"function_call": function}
        whole: dict[str, Any] = {"index": call.index}
        if call.id:
            whole |= {"id": call.id, "type": "function"}
        return {"tool_calls": [{**whole, "function": function}]}


def _finish(reason: bytes) -> bytes:
    return b',"logprobs":null,"finish_reason":' + reason + b"}"


def _reasoned(delta: Delta) -> dict[str, str]:
    reasoned = {"reasoning_content": delta.reasoning}
    return {**reasoned, "content": delta.content} if delta.content else reasoned


class TextFrames(OpenAIFrames):
    """Frames of text_completion objects, the older form; `echo` has the text before each choice, or nothing."""

    def __init__(self, head: AnswerHead, *, include_usage: bool, echo: list[str]) -> None:
        super().__init__("text_completion", head, include_usage=include_usage)
        self._echo = dict(enumerate(echo))

    def deltas(self, deltas: Sequence[Delta]) -> bytes:
        """Return the frames of one router message, joined: one write."""
        return b"".join([self._frame(delta) for delta in deltas])

    def _frame(self, delta: Delta) -> bytes:
        text = self._echo.pop(delta.index, "") + delta.content
        choice = b',"choices":[{"text":%b,"index":%d,"logprobs":null,"finish_reason":%b}'
        finish = encode(delta.finish_reason or None)
        close = self._last_close if delta.finish_reason else self._close
        return self._head + choice % (encode(text), delta.index, finish) + close
