"""Deltas -> the events of the Responses API, numbered; items begin, grow and end, and the response has them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from servicekit.errors import ServiceError
from services.gateway.clients.completion import Delta, ToolCallPart
from services.gateway.inference.conversation import answer_turn
from services.gateway.inference.openai_bodies import encode
from services.gateway.inference.responses.bodies import (
    ResponseHead,
    call_item,
    end_status,
    ended,
    failure,
    message_item,
    reasoning_item,
    response_object,
    response_usage,
    text_part,
)
from services.gateway.inference.streaming.event_stream import event
from services.gateway.inference.streaming.growing_text import GrowingText
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.schemas.inference import ChatMessage, FunctionCall, ToolCall


@dataclass(slots=True)
class _Item:
    """An item that grows: `kind` is "reasoning", "message" or "function_call"."""

    kind: str
    id: str
    index: int
    said: GrowingText = field(default_factory=GrowingText)
    call: ToolCall | None = None
    is_open: bool = True
    status: str = "completed"
    named: Mapping[str, str] = field(default_factory=dict)

    def whole(self) -> dict[str, Any]:
        """Return the item as it is at its end."""
        if self.kind == "reasoning":
            return reasoning_item(self.id, self.said.text)
        if self.call is not None:
            self.call.function.arguments = self.said.text
            return call_item(self.id, self.call, self.named, self.status)
        return message_item(self.id, self.said.text, self.status)


class ResponseFrames:
    """Renders one stream."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._number = -1
        self._items: list[_Item] = []
        self._calls: dict[int, _Item] = {}
        self._finish_reason = ""
        self._facts: dict[str, dict[str, str]] = {}
        self._started = False
        self._last = b""
        self.response: dict[str, Any] = {}
        """The object of the last event."""

    def deltas(self, deltas: Sequence[Delta]) -> bytes:
        """Return the events of one router message, joined: one write."""
        events = [] if self._started else self._start()
        for delta in deltas:
            if delta.reasoning:
                events += self._thought(delta.reasoning)
            if delta.content:
                events += self._spoken(delta.content)
            for call in delta.tool_calls:
                events += self._called(call)
            self._finish_reason = delta.finish_reason or self._finish_reason
        return b"".join(events)

    def explain(self, facts: Mapping[str, str]) -> None:
        """Say in the last object what the headers could not say, for they had left."""
        self._facts = {"x_razvilka": dict(facts)}

    def built_as(self, fingerprint: str) -> None:
        """Note nothing: this API says no builds of models."""

    def end(self, usage: TokenUsage, cost_micro_rub: int) -> bytes:
        """Return the events after the last delta: the ends of the items, and the whole response."""
        events = [] if self._has_answer else [*self._close_texts(), *self._opened(self._new("message", "msg"))]
        self._items[-1].status = end_status(self._finish_reason)
        events += [each for item in self._items if item.is_open for each in self._closed(item)]
        output = [item.whole() for item in self._items]
        whole = ended(self._head, self._finish_reason, output, response_usage(usage, cost_micro_rub))
        self.response = {**whole, **self._facts}
        self._last = self._event(f"response.{whole['status']}", response=self.response)
        return b"".join([*events, self._last])

    @property
    def _has_answer(self) -> bool:
        """Whether there is more than thoughts; who makes nothing else has said an empty text, as in a whole answer."""
        return any(item.kind != "reasoning" for item in self._items)

    def not_kept(self, events: bytes) -> bytes:
        """Return the events of an end whose last object says that the response could not be kept."""
        self.response["store"] = False
        self._number -= 1
        return events.removesuffix(self._last) + self._event(
            f"response.{self.response['status']}", response=self.response
        )

    def error(self, error: ServiceError, request_id: str) -> bytes:
        """Return the event that ends a broken stream; nothing follows it."""
        begun = [] if self._started else self._start()
        for item in self._items:
            item.status = "incomplete" if item.is_open else item.status
        output = [item.whole() for item in self._items]
        # Nothing of it is kept, whatever was wished.
        failed = response_object(self._head, "failed", output, error=failure(error, request_id), store=False)
        return b"".join([*begun, self._event("response.failed", response=failed)])

    def answered(self) -> ChatMessage:
        """Return what the model said as a message of the chat, for a next turn."""
        text = "".join(item.said.text for item in self._items if item.kind == "message")
        calls = [item.call for item in self._items if item.call is not None]
        thought = "".join(item.said.text for item in self._items if item.kind == "reasoning")
        return answer_turn(text, calls, thought)

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return event(kind, encode({"type": kind, "sequence_number": self._number, **fields}))

    def _start(self) -> list[bytes]:
        self._started = True
        begun = response_object(self._head, "in_progress", [])
        return [self._event("response.created", response=begun), self._event("response.in_progress", response=begun)]

    def _new(self, kind: str, prefix: str, call: ToolCall | None = None) -> _Item:
        index = len(self._items)
        named = self._head.named(call.function.name) if call is not None else {}
        item = _Item(kind, self._head.item_id(prefix, index), index, call=call, named=named)
        self._items.append(item)
        return item

    def _current(self, kind: str) -> _Item | None:
        last = self._items[-1] if self._items else None
        return last if last is not None and last.kind == kind and last.is_open else None

    def _thought(self, text: str) -> list[bytes]:
        item, events = self._current("reasoning"), []
        if item is None:
            events = self._close_texts()
            item = self._new("reasoning", "rs")
            events += self._opened(item)
        item.said.add(text)
        events.append(self._grown("response.reasoning_summary_text.delta", item, delta=text, summary_index=0))
        return events

    def _spoken(self, text: str) -> list[bytes]:
        item, events = self._current("message"), []
        if item is None:
            events = self._close_texts()
            item = self._new("message", "msg")
            events += self._opened(item)
        item.said.add(text)
        events.append(self._grown("response.output_text.delta", item, delta=text, content_index=0, logprobs=[]))
        return events

    def _called(self, call: ToolCallPart) -> list[bytes]:
        item, events = self._calls.get(call.index), []
        if item is None:
            events = self._close_texts()
            item = self._calls[call.index] = self._new(
                "function_call", "fc", ToolCall(call.id, FunctionCall(call.name, ""))
            )
            events += self._opened(item)
        item.said.add(call.arguments)
        if call.arguments:
            events.append(self._grown("response.function_call_arguments.delta", item, delta=call.arguments))
        return events

    def _close_texts(self) -> list[bytes]:
        """End thoughts and text where something else begins; nobody says when a call is whole, so calls wait."""
        last = self._items[-1:]
        return [each for item in last if item.is_open and item.call is None for each in self._closed(item)]

    def _opened(self, item: _Item) -> list[bytes]:
        added = "response.output_item.added"
        if item.call is not None:
            return [
                self._event(
                    added, output_index=item.index, item=call_item(item.id, item.call, item.named, "in_progress")
                )
            ]
        if item.kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            return [
                self._event(added, output_index=item.index, item=reasoning_item(item.id, "")),
                self._grown("response.reasoning_summary_part.added", item, summary_index=0, part=part),
            ]
        return [
            self._event(added, output_index=item.index, item=message_item(item.id, "", "in_progress")),
            self._grown("response.content_part.added", item, content_index=0, part=text_part("")),
        ]

    def _closed(self, item: _Item) -> list[bytes]:
        item.is_open = False
        return [*self._ends(item), self._event("response.output_item.done", output_index=item.index, item=item.whole())]

    def _ends(self, item: _Item) -> list[bytes]:
        if item.call is not None:
            name = item.named["name"]
            return [self._grown("response.function_call_arguments.done", item, name=name, arguments=item.said.text)]
        if item.kind == "reasoning":
            part = {"type": "summary_text", "text": item.said.text}
            return [
                self._grown("response.reasoning_summary_text.done", item, summary_index=0, text=item.said.text),
                self._grown("response.reasoning_summary_part.done", item, summary_index=0, part=part),
            ]
        return [
            self._grown("response.output_text.done", item, content_index=0, text=item.said.text, logprobs=[]),
            self._grown("response.content_part.done", item, content_index=0, part=text_part(item.said.text)),
        ]

    def _grown(self, kind: str, item: _Item, **fields: Any) -> bytes:
        return self._event(kind, item_id=item.id, output_index=item.index, **fields)
