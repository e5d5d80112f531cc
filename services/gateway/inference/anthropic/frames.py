"""Deltas -> the events of the Messages API: blocks that begin, grow and end one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from servicekit.errors import ServiceError
from services.gateway.clients.completion import Delta, ToolCallPart
from services.gateway.inference.anthropic.bodies import BLANKS, call_input, message_head, message_usage, stop_reason
from services.gateway.inference.anthropic.errors import error_body
from services.gateway.inference.openai_bodies import AnswerHead, encode
from services.gateway.inference.streaming.event_stream import event
from services.gateway.inference.streaming.growing_text import GrowingText
from services.gateway.metering.usage_record import TokenUsage

# The arguments of a call are one.
OBJECT: Final = "{"


def message_event(name: str, fields: Mapping[str, Any]) -> bytes:
    """Return one event; its data say its name again, as Anthropic's do."""
    return event(name, encode({"type": name, **fields}))


class MessageFrames:
    """Renders one stream.

    One block is open at a time. The first call is sent as it is made; what comes besides (text, other calls) waits for
    the end: nobody says when a call is whole, and blocks may not overlap.
    """

    def __init__(self, head: AnswerHead, *, input_tokens: int, names: Mapping[str, str]) -> None:
        """Begin; `names` are the caller's of functions, by those in the chat."""
        self._head = head
        self._names = names
        self._input_tokens = input_tokens
        self._started = False
        self._index = -1
        self._open = ""
        self._call = -1
        # Of the open call: with what its arguments begin, and what of them is not sent yet.
        self._first = ""
        self._withheld = GrowingText()
        self._waiting: dict[int, ToolCallPart] = {}
        self._arguments_waiting: dict[int, GrowingText] = {}
        self._texts_waiting = {"thinking": GrowingText(), "text": GrowingText()}
        self._finish_reason = ""
        self._facts: dict[str, str] = {}

    def deltas(self, deltas: Sequence[Delta]) -> bytes:
        """Return the events of one router message, joined: one write."""
        events = [] if self._started else [self._start()]
        for delta in deltas:
            if delta.reasoning:
                events.append(self._said("thinking", delta.reasoning))
            if delta.content:
                events.append(self._said("text", delta.content))
            events.extend(self._called(call) for call in delta.tool_calls)
            self._finish_reason = delta.finish_reason or self._finish_reason
        return b"".join(events)

    def explain(self, facts: Mapping[str, str]) -> None:
        """Say in the last event but one what the headers could not say, for they had left."""
        self._facts = dict(facts)

    def built_as(self, fingerprint: str) -> None:
        """Note nothing: this API says no builds of models."""

    def end(self, usage: TokenUsage, cost_micro_rub: int) -> bytes:
        """Return the events after the last delta: why it stopped, what it used, and that it is over."""
        texts = [self._grown(kind, text) for kind, waiting in self._texts_waiting.items() if (text := waiting.text)]
        calls = [self._whole(call) for _, call in sorted(self._waiting.items())]
        delta: dict[str, Any] = {"stop_reason": stop_reason(self._finish_reason), "stop_sequence": None}
        fields: dict[str, Any] = {"delta": delta, "usage": message_usage(usage, cost_micro_rub)}
        if self._facts:
            fields["x_razvilka"] = self._facts
        return b"".join(
            [*texts, *calls, self._stop(), message_event("message_delta", fields), message_event("message_stop", {})]
        )

    def error(self, error: ServiceError, request_id: str) -> bytes:
        """Return the event that ends a broken stream; nothing follows it."""
        return event("error", error_body(error, request_id))

    def _start(self) -> bytes:
        self._started = True
        usage = {
            "input_tokens": self._input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        }
        return message_event("message_start", {"message": {**message_head(self._head), "usage": usage}})

    def _said(self, kind: str, text: str) -> bytes:
        if self._call == -1:
            return self._grown(kind, text)
        self._texts_waiting[kind].add(text)
        return b""

    def _grown(self, kind: str, text: str) -> bytes:
        # Its clients read the signature of a thought where it begins; ours have none.
        signed = {"signature": ""} if kind == "thinking" else {}
        begun = b"" if self._open == kind else self._begin({"type": kind, kind: "", **signed}, kind)
        return begun + self._delta({"type": f"{kind}_delta", kind: text})

    def _called(self, call: ToolCallPart) -> bytes:
        if self._call not in (-1, call.index):
            self._waiting.setdefault(call.index, call)
            self._arguments_waiting.setdefault(call.index, GrowingText()).add(call.arguments)
            return b""
        self._call = call.index
        begun = b"" if self._open == "tool_use" else self._begin_call(call)
        return begun + (self._arguments(call.arguments) if call.arguments else b"")

    def _whole(self, call: ToolCallPart) -> bytes:
        return self._begin_call(call) + self._arguments(self._arguments_waiting[call.index].text)

    def _begin_call(self, call: ToolCallPart) -> bytes:
        name = self._names.get(call.name, call.name)
        begun = self._begin({"type": "tool_use", "id": call.id, "name": name, "input": {}}, "tool_use")
        self._first, self._withheld = "", GrowingText()
        return begun

    def _arguments(self, text: str) -> bytes:
        if self._first != OBJECT:
            self._withheld.add(text)
            self._first = self._first or text.lstrip(BLANKS)[:1]
            if self._first != OBJECT:
                return b""
            text = self._withheld.text
        return self._partial(text)

    def _rest_of_call(self) -> bytes:
        """Return arguments that are no object as a whole answer has them: clients read nothing else."""
        is_sent = self._open != "tool_use" or self._first in ("", OBJECT)
        return b"" if is_sent else self._partial(encode(call_input(self._withheld.text)).decode())

    def _partial(self, text: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": text})

    def _begin(self, block: dict[str, Any], kind: str) -> bytes:
        ended = self._stop()
        self._index += 1
        self._open = kind
        return ended + message_event("content_block_start", {"index": self._index, "content_block": block})

    def _stop(self) -> bytes:
        if not self._open:
            return b""
        rest, self._open = self._rest_of_call(), ""
        return rest + message_event("content_block_stop", {"index": self._index})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return message_event("content_block_delta", {"index": self._index, "delta": delta})
