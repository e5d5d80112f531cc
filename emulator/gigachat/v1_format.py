"""GigaChat v1: what a request means, which rules it must keep, and how an answer is written."""

from typing import Any, Final

import msgspec

from emulator.gigachat.models import Model
from emulator.gigachat.rules import check_order, check_ranges
from emulator.gigachat.schema_rules import BrokenRuleError, check_functions, check_response_format
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Answer, Ask, Tool
from emulator.toy_model.text import dump, passage

FINISH: Final = {"stop": "stop", "length": "length", "tool_calls": "function_call", "content_filter": "blacklist"}
_NOT_SAMPLING: Final = frozenset({"model", "messages", "functions"})


def read_request(body: dict[str, Any]) -> Ask:
    """Return the question that a v1 request asks.

    Raises:
        BrokenRuleError: a 422 of the provider.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BrokenRuleError("Invalid params: messages must not be empty")
    check_ranges(body)
    check_order(messages)
    functions = body.get("functions") or []
    check_functions(functions)
    check_response_format(body.get("response_format") or {})
    ask = Ask(
        str(body.get("model", "")),
        messages=len(messages),
        max_tokens=body.get("max_tokens"),
        stream=bool(body.get("stream")),
        tools=[Tool(item["name"], item.get("parameters") or {}) for item in functions],
        tool_choice=_tool_choice(body.get("function_call", "none")),
        one_call=True,
        sampling={key: value for key, value in body.items() if key not in _NOT_SAMPLING},
    )
    if body.get("reasoning_effort"):
        ask.reasoning = True
    if (body.get("response_format") or {}).get("type") == "json_schema":
        ask.json_schema = body["response_format"]["schema"]
    _read_messages(ask, messages)
    if functions:
        ask.prompt_tokens += tokenizer.count(dump(functions))
    return ask


def _tool_choice(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("name", ""))
    if value not in ("none", "auto"):
        raise BrokenRuleError("Invalid params: function_call must be one of [none, auto] or an object")
    return str(value)


def _read_messages(ask: Ask, messages: list[dict[str, Any]]) -> None:
    tokens = 1
    for message in messages:
        content = message.get("content") or ""
        ask.after_tool_result = message["role"] == "function"
        if message["role"] == "user":
            ask.prompt = content
            ask.file_ids = [*ask.file_ids, *map(str, message.get("attachments") or ())]
        if message.get("function_call"):
            content += " " + dump(message["function_call"])
        ask.prompt_chars += len(content)
        tokens += 3 + tokenizer.count(content)
    ask.prompt_tokens = tokens


class Writer:
    """Writes one answer in v1's shape."""

    def __init__(self, answer: Answer, asked_model: str, model: Model, *, created: int, state_id: str) -> None:
        """Keep what every event repeats."""
        self._answer, self._state_id = answer, state_id
        name = asked_model.split("~")[0]
        self._tail = b'"created":%d,"model":"%b","object":"%b"' % (
            created, f"{name}:{model.build}".encode(), model.answer_object.encode(),
        )  # fmt: skip

    def whole(self) -> bytes:
        """Return the body of a plain answer."""
        answer = self._answer
        message: dict[str, Any] = {"content": answer.text, "role": "assistant"}
        if answer.reasoning_tokens:
            message["reasoning_content"] = self._reasoning()
        if answer.calls:
            message |= self._function_call()
        inner = b'{"message":%b,"index":0,"finish_reason":"%b"}' % (msgspec.json.encode(message), self._finish())
        return b'{"choices":[%b],%b%b}' % (inner, self._tail, self._usage())

    def events(self) -> tuple[list[bytes], list[int]]:
        """Return the SSE events and the completion tokens that each brings the total to."""
        answer = self._answer
        frames, marks = self._call_events() if answer.calls else self._text_events()
        error_at = answer.strikes_at("mid_stream_error")
        if error_at is not None:
            frames, marks = frames[:error_at], marks[:error_at]
            frames.append(b'data: {"status":500,"message":"Internal Server Error"}\n\n')
            return frames, [*marks, marks[-1] if marks else 0]
        if not (answer.calls and answer.has("finish_with_call")):
            frames.append(self._event(b'{"content":""}', last=True))
            marks.append(answer.completion_tokens)
        if answer.has("usage_duplicate"):
            frames.append(frames[-1])
            marks.append(marks[-1])
        return [*frames, b"data: [DONE]\n\n"], [*marks, marks[-1]]

    def _text_events(self) -> tuple[list[bytes], list[int]]:
        answer, frames, marks, start = self._answer, list[bytes](), list[int](), 0
        hidden = answer.reasoning_tokens
        if answer.has("in_progress"):
            wait = b'{"content":"\\u0416\\u0434\\u0438\\u0442\\u0435 10 \\u0441","role":"function_in_progress","name":"text2image"}'  # noqa: E501
            frames.append(self._event(wait))
            marks.append(0)
        role = b',"role":"assistant"'
        if hidden:
            thought = msgspec.json.encode(self._reasoning())
            frames.append(self._event(b'{"content":"","reasoning_content":%b%b}' % (thought, role)))
            marks.append(hidden)
            role = b""
        for end, shown in answer.borders():
            frames.append(self._event(b'{"content":%b%b}' % (msgspec.json.encode(answer.text[start:end]), role)))
            marks.append(shown + hidden)
            start, role = end, b""
        return frames, marks

    def _call_events(self) -> tuple[list[bytes], list[int]]:
        delta = msgspec.json.encode({"content": "", "role": "assistant", **self._function_call()})
        last = self._answer.has("finish_with_call")
        return [self._event(delta, last=last)], [self._answer.completion_tokens]

    def _event(self, delta: bytes, *, last: bool = False) -> bytes:
        if last:
            finish = self._finish()
            return b'data: {"choices":[{"delta":%b,"index":0,"finish_reason":"%b"}],%b%b}\n\n' % (
                delta, finish, self._tail, self._usage(),
            )  # fmt: skip
        return b'data: {"choices":[{"delta":%b,"index":0}],%b}\n\n' % (delta, self._tail)

    def _reasoning(self) -> str:
        return passage(self._answer.prompt_tokens, self._answer.reasoning_tokens).text

    def _finish(self) -> bytes:
        return FINISH[self._answer.finish].encode()

    def _function_call(self) -> dict[str, Any]:
        name, arguments = self._answer.calls[0]
        written: Any = dump(arguments) if self._answer.has("arguments_string") else arguments
        return {"function_call": {"name": name, "arguments": written}, "functions_state_id": self._state_id}

    def _usage(self) -> bytes:
        """Return the usage; cached tokens are in a field of their own and in no other."""
        answer = self._answer
        if answer.has("usage_missing"):
            return b""
        prompt, completion = answer.prompt_tokens - answer.cached_tokens, answer.completion_tokens
        cached = answer.cached_tokens
        if answer.has("usage_zero"):
            prompt = completion = cached = 0
        return (
            b',"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"precached_prompt_tokens":%d}'
            % (prompt, completion, prompt + completion, cached)
        )
