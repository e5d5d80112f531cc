"""GigaChat v2: content in parts, tools in groups, named events."""

from typing import Any, Final

import msgspec

from emulator.gigachat.models import Model
from emulator.gigachat.rules import check_ranges
from emulator.gigachat.schema_rules import BrokenRuleError, check_functions, check_response_format
from emulator.gigachat.v1_format import FINISH
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Answer, Ask, Tool
from emulator.toy_model.text import dump

_NOT_SAMPLING: Final = frozenset({"model", "messages", "tools"})
_ROLES: Final = frozenset({"system", "user", "assistant", "tool"})


def read_request(body: dict[str, Any]) -> Ask:
    """Return the question that a v2 request asks.

    Raises:
        BrokenRuleError: a 422 of the provider.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BrokenRuleError("Invalid params: messages must not be empty")
    options = body.get("model_options") or {}
    check_ranges(options)
    functions = [item for tool in body.get("tools") or [] for item in _specifications(tool)]
    check_functions(functions)
    check_response_format(options.get("response_format") or {}, kinds=("text", "json_schema", "regex"))
    ask = Ask(
        str(body.get("model", "")),
        messages=len(messages),
        max_tokens=options.get("max_tokens"),
        stream=bool(body.get("stream")),
        tools=[Tool(item["name"], item.get("parameters") or {}) for item in functions],
        tool_choice=_tool_choice(body.get("tool_config") or {}),
        reasoning=bool((options.get("reasoning") or {}).get("effort")),
        sampling={key: value for key, value in body.items() if key not in _NOT_SAMPLING},
    )
    if (options.get("response_format") or {}).get("type") == "json_schema":
        ask.json_schema = options["response_format"]["schema"]
    _read_messages(ask, messages)
    if functions:
        ask.prompt_tokens += tokenizer.count(dump(functions))
    return ask


def _specifications(tool: dict[str, Any]) -> list[dict[str, Any]]:
    return list((tool.get("functions") or {}).get("specifications") or [])


def _tool_choice(config: dict[str, Any]) -> str:
    mode = config.get("mode", "auto")
    if mode not in ("auto", "none", "forced"):
        raise BrokenRuleError("Invalid params: tool_config.mode is unknown")
    if mode != "forced":
        return str(mode)
    return str(config.get("function_name") or config.get("tool_name") or "required")


def _read_messages(ask: Ask, messages: list[dict[str, Any]]) -> None:
    tokens, waiting = 1, False
    for place, message in enumerate(messages):
        role, parts = message.get("role"), message.get("content")
        if role not in _ROLES:
            raise BrokenRuleError(f"Invalid params: unknown role {role}")
        if role == "system" and place:
            raise BrokenRuleError("Invalid params: system message must be the first message")
        if not isinstance(parts, list):
            raise BrokenRuleError("Invalid params: content must be an array of parts")
        if (role == "tool") != waiting:
            raise BrokenRuleError("every assistant function call must have a result in history")
        waiting = role == "assistant" and any("function_call" in part for part in parts)
        text = "\n".join(_part_text(part) for part in parts)
        ask.after_tool_result = role == "tool"
        if role == "user":
            ask.prompt = text
        ask.prompt_chars += len(text)
        tokens += 3 + tokenizer.count(text)
    ask.prompt_tokens = tokens


def _part_text(part: dict[str, Any]) -> str:
    if "text" in part:
        return str(part["text"])
    return dump(part.get("function_call") or part.get("function_result") or {})


class Writer:
    """Writes one answer in v2's shape."""

    def __init__(self, answer: Answer, asked_model: str, model: Model, *, created: int, state_id: str) -> None:
        """Keep what every event repeats."""
        self._answer, self._state_id = answer, state_id
        self._head = {"model": f"{asked_model.split('~')[0]}:{model.build}", "created_at": created}

    def whole(self) -> bytes:
        """Return the body of a plain answer."""
        content = self._calls() if self._answer.calls else [{"text": self._answer.text}]
        return msgspec.json.encode({**self._head, "messages": [self._message(content)], **self._ending()})

    def events(self) -> tuple[list[bytes], list[int]]:
        """Return the SSE events, which have names, and the completion tokens that each brings the total to."""
        answer, frames, marks, start = self._answer, list[bytes](), list[int](), 0
        if answer.calls:
            frames.append(self._delta(self._calls()))
            marks.append(answer.completion_tokens)
        for end, shown in answer.borders():
            frames.append(self._delta([{"text": answer.text[start:end]}]))
            marks.append(shown + answer.reasoning_tokens)
            start = end
        error_at = answer.strikes_at("mid_stream_error")
        if error_at is not None:
            error = _event("error", {"status": 500, "message": "Internal Server Error"})
            return [*frames[:error_at], error], [*marks[:error_at], marks[error_at - 1] if error_at else 0]
        done = _event("response.message.done", {**self._head, **self._ending()})
        times = 2 if answer.has("usage_duplicate") else 1
        return [*frames, *[done] * times], [*marks, *[answer.completion_tokens] * times]

    def _delta(self, content: list[dict[str, Any]]) -> bytes:
        return _event("response.message.delta", {**self._head, "messages": [self._message(content)]})

    def _message(self, content: list[dict[str, Any]]) -> dict[str, Any]:
        state = {"tool_state_id": self._state_id} if self._answer.calls else {}
        return {"role": "assistant", **state, "content": content}

    def _calls(self) -> list[dict[str, Any]]:
        calls = self._answer.calls
        as_text = self._answer.has("arguments_string")
        return [{"function_call": {"name": name, "arguments": dump(args) if as_text else args}} for name, args in calls]

    def _ending(self) -> dict[str, Any]:
        answer = self._answer
        ending: dict[str, Any] = {"finish_reason": FINISH[answer.finish]}
        if answer.has("usage_missing"):
            return ending
        prompt, completion, cached = answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens
        if answer.has("usage_zero"):
            prompt = completion = cached = 0
        ending["usage"] = {
            "input_tokens": prompt,
            "input_tokens_details": {"prompt_tokens": prompt - cached, "cached_tokens": cached},
            "output_tokens": completion,
            "total_tokens": prompt + completion,
        }
        return ending


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
