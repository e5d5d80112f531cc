"""The OpenAI-compatible chat format in its dialects: three of Yandex's `/v1`, and the plain one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Answer, Ask, Tool
from emulator.toy_model.text import dump, passage

_NOT_SAMPLING: Final = frozenset({"model", "messages", "tools", "response_format"})
_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
LEAKED_TOKEN: Final = "[TOOL_CALL_END]"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of servers differs from the others."""

    role_alone: bool  # the first delta has only the role
    finish_alone: bool  # finish_reason comes in an empty delta of its own
    usage_always: bool  # a usage chunk even when nobody asked
    usage_on_request: bool  # stream_options.include_usage works
    id_is_name: bool  # a call's id is its function's name
    splits_arguments: bool  # a call's arguments come in several deltas
    filter_replaces: bool = True  # the filter's chunk is the whole text, not a delta
    forgets_finish: bool = False  # no finish_reason after a tool call (tool_choice auto)
    leaks_token: bool = False  # [TOOL_CALL_END] in the content (tool_choice required)


DIALECTS: Final = {
    "yandexgpt": Dialect(False, False, False, False, True, False),
    "alice": Dialect(False, False, False, False, True, False, forgets_finish=True, leaks_token=True),
    "vllm": Dialect(True, True, True, False, True, False),
    "plain": Dialect(True, True, False, True, False, True, filter_replaces=False),
}


class BadRequestError(Exception):
    """A 400; the message says why, `param` where, `code` in one word."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        """Keep all three."""
        super().__init__(message)
        self.param, self.code = param, code


def read_request(body: dict[str, Any]) -> Ask:
    """Return the question that a chat completion request asks.

    Raises:
        BadRequestError: a required field is missing or of a wrong kind.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("'messages' must be a non-empty array")
    max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
    if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens <= 0):
        raise BadRequestError("'max_tokens' must be a positive integer")
    tools = [_tool(item) for item in body.get("tools") or []]
    stop = body.get("stop") or ()
    ask = Ask(
        str(body.get("model", "")),
        messages=len(messages),
        max_tokens=max_tokens,
        stream=bool(body.get("stream")),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice", "auto")),
        stops=(stop,) if isinstance(stop, str) else tuple(stop),
        reasoning=body.get("reasoning_effort", "none") not in ("none", "minimal"),
        choices=int(body.get("n") or 1),
        sampling={key: value for key, value in body.items() if key not in _NOT_SAMPLING},
    )
    _read_response_format(ask, body.get("response_format") or {})
    _read_messages(ask, messages)
    if tools:
        ask.prompt_tokens += tokenizer.count(dump(body["tools"]))
    return ask


def _tool(item: dict[str, Any]) -> Tool:
    function = item.get("function") or {}
    if not function.get("name"):
        raise BadRequestError("tools: function name is required")
    return Tool(function["name"], function.get("parameters") or {})


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, dict):
        return str((choice.get("function") or {}).get("name", ""))
    return str(choice)


def _read_response_format(ask: Ask, wanted: dict[str, Any]) -> None:
    kind = wanted.get("type", "text")
    if kind == "json_object":
        ask.json_mode = True
    elif kind == "json_schema":
        ask.json_schema = (wanted.get("json_schema") or {}).get("schema") or {}
    elif kind != "text":
        raise BadRequestError(f"response_format type '{kind}' is not supported")


def _read_messages(ask: Ask, messages: list[dict[str, Any]]) -> None:
    tokens = 2
    for message in messages:
        role = message.get("role")
        if role not in _ROLES:
            raise BadRequestError(f"unknown role '{role}'")
        text = content_text(message.get("content"))
        ask.after_tool_result = role in ("tool", "function")
        if role == "user":
            ask.prompt = text
        for call in message.get("tool_calls") or ():
            text += f" {call['function']['name']} {call['function'].get('arguments', '')}"
        ask.prompt_chars += len(text)
        tokens += 3 + tokenizer.count(text)
    ask.prompt_tokens = tokens


def content_text(content: Any) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(str(part.get("text", "")) for part in content)


class ChatWriter:
    """Writes one answer in one dialect."""

    def __init__(self, answer: Answer, ask: Ask, dialect: str, *, model: str, reply_id: str, created: int) -> None:
        """Keep what every chunk repeats."""
        self._answer, self._ask, self._dialect = answer, ask, DIALECTS[dialect]
        self._id, self._created, self._model = reply_id, created, msgspec.json.encode(model)
        self._head = self._envelope("chat.completion.chunk")

    def whole(self) -> bytes:
        """Return the body of a plain answer; it ends in a newline."""
        answer = self._answer
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.calls:
            message |= {"content": self._call_content(), "tool_calls": self._calls()}
        if answer.reasoning_tokens:
            message["reasoning_content"] = self._reasoning()
            message["content"] = answer.text or None
        choices = [
            {"index": index, "message": message, "finish_reason": answer.finish} for index in range(self._ask.choices)
        ]
        usage = b"" if answer.has("usage_missing") else b',"usage":' + self._usage()
        return b'%b,"choices":%b%b}\n' % (self._envelope("chat.completion"), msgspec.json.encode(choices), usage)

    def events(self) -> tuple[list[bytes], list[int]]:
        """Return the SSE events and the completion tokens that each brings the total to."""
        answer = self._answer
        frames, marks = self._content_events()
        error_at = answer.strikes_at("mid_stream_error")
        if error_at is not None:
            frames, marks = frames[:error_at], marks[:error_at]
            return [*frames, self._error_event()], [*marks, marks[-1] if marks else 0]
        total = answer.completion_tokens * self._ask.choices
        if self._wants_usage() and not answer.has("usage_missing"):
            frames.append(b'data: %b,"choices":[],"usage":%b}\n\n' % (self._head, self._usage()))
            marks.append(total)
            if answer.has("usage_duplicate"):
                frames.append(frames[-1])
                marks.append(total)
        return [*frames, b"data: [DONE]\n\n"], [*marks, total]

    def _wants_usage(self) -> bool:
        asked = bool((self._ask.sampling.get("stream_options") or {}).get("include_usage"))
        return self._dialect.usage_always or (asked and self._dialect.usage_on_request)

    def _content_events(self) -> tuple[list[bytes], list[int]]:
        answer, hidden = self._answer, self._answer.reasoning_tokens
        deltas: list[dict[str, Any]] = []
        marks: list[int] = []
        if self._dialect.role_alone:
            deltas.append({"role": "assistant"})
            marks.append(0)
        if hidden:
            deltas.append({"reasoning_content": self._reasoning()})
            marks.append(hidden)
        if answer.calls:
            calls = self._call_deltas()
            deltas += calls
            marks += [answer.completion_tokens] * len(calls)
        elif answer.withdrawn() and self._dialect.filter_replaces:
            # The last chunk holds the whole refusal: it stands in place of what was said before.
            deltas += [{"content": answer.withdrawn()[-1]}, {"content": answer.text}]
            marks += [tokenizer.count(answer.withdrawn()[-1]) + hidden, answer.completion_tokens]
        else:
            start = 0
            for end, shown in answer.borders():
                deltas.append({"content": answer.text[start:end]})
                marks.append(shown + hidden)
                start = end
        return self._framed(deltas, marks)

    def _framed(self, deltas: list[dict[str, Any]], marks: list[int]) -> tuple[list[bytes], list[int]]:
        """Put the role into the first delta and the finish where the dialect has it."""
        if not self._dialect.role_alone:
            first = deltas[0] if deltas else {"content": ""}
            deltas[:1] = [{"role": "assistant", **first}]
            marks = marks or [0]
        finish: str | None = self._answer.finish
        if self._answer.calls and self._dialect.forgets_finish and self._ask.tool_choice == "auto":
            finish = None
        if self._dialect.finish_alone:
            deltas, marks = [*deltas, {}], [*marks, self._answer.completion_tokens]
        return self._told_by_each(deltas, marks, finish)

    def _told_by_each(
        self, deltas: list[dict[str, Any]], marks: list[int], finish: str | None
    ) -> tuple[list[bytes], list[int]]:
        """Return the events of all choices, which say the same, and what they bring the total to."""
        count = self._ask.choices
        frames = [
            self._event(delta, finish if place == len(deltas) - 1 else None, index)
            for place, delta in enumerate(deltas)
            for index in range(count)
        ]
        steps = zip([0, *marks], marks, strict=False)
        return frames, [
            before * count + (mark - before) * number for before, mark in steps for number in range(1, count + 1)
        ]

    def _event(self, delta: dict[str, Any], finish: str | None, index: int) -> bytes:
        ending = b"" if finish is None else b',"finish_reason":"%b"' % finish.encode()
        choice = b'{"index":%d,"delta":%b%b}' % (index, msgspec.json.encode(delta), ending)
        return b'data: %b,"choices":[%b]}\n\n' % (self._head, choice)

    def _call_deltas(self) -> list[dict[str, Any]]:
        calls = self._calls()
        leak = [{"content": LEAKED_TOKEN}] if self._call_content() else []
        if not self._dialect.splits_arguments:
            return [{"tool_calls": calls}, *leak]
        deltas: list[dict[str, Any]] = []
        for call in calls:
            arguments = call["function"]["arguments"]
            begun = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
            deltas.append({"tool_calls": [begun]})
            half = len(arguments) // 2
            for part in (arguments[:half], arguments[half:]):
                deltas.append({"tool_calls": [{"index": call["index"], "function": {"arguments": part}}]})
        return deltas

    def _calls(self) -> Sequence[dict[str, Any]]:
        broken = self._answer.has("bad_arguments")
        return [
            {
                "index": number,
                "id": name if self._dialect.id_is_name else f"call_{self._id.replace('-', '')[-22:]}{number:02d}",
                "type": "function",
                "function": {"name": name, "arguments": '{"broken": ' if broken else dump(arguments)},
            }
            for number, (name, arguments) in enumerate(self._answer.calls)
        ]

    def _call_content(self) -> str | None:
        if self._dialect.leaks_token and self._ask.tool_choice == "required":
            return LEAKED_TOKEN
        return "" if self._dialect.id_is_name else None

    def _reasoning(self) -> str:
        return passage(self._answer.prompt_tokens, self._answer.reasoning_tokens).text

    def _envelope(self, kind: str) -> bytes:
        return b'{"id":"%b","object":"%b","created":%d,"model":%b' % (
            self._id.encode(),
            kind.encode(),
            self._created,
            self._model,
        )

    def _usage(self) -> bytes:
        answer = self._answer
        prompt, completion = answer.prompt_tokens, answer.completion_tokens * self._ask.choices
        if answer.has("usage_zero"):
            prompt = completion = 0
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
        }
        if answer.cached_tokens:
            usage["prompt_tokens_details"] = {"cached_tokens": answer.cached_tokens}
        if answer.reasoning_tokens:
            usage["completion_tokens_details"] = {"reasoning_tokens": answer.reasoning_tokens * self._ask.choices}
        return msgspec.json.encode(usage)

    def _error_event(self) -> bytes:
        code = 500 if self._answer.fault is None else int(self._answer.fault.number("code", 500))
        if self._dialect.id_is_name:
            return b'data: {"error":{"error":"model call failed","code":%d}}\n\n' % code
        return b'data: {"error":{"message":"The server had an error","type":"server_error","code":%d}}\n\n' % code
