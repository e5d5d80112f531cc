"""The native REST format: what a request means and how an answer is written."""

from typing import Any, Final

import msgspec

from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Answer, Ask, Tool
from emulator.toy_model.text import dump
from emulator.yandex.errors import error_body

MODEL_VERSION: Final = "12.08.2026"
STATUS_OF_FINISH: Final = {
    "stop": "ALTERNATIVE_STATUS_FINAL",
    "length": "ALTERNATIVE_STATUS_TRUNCATED_FINAL",
    "content_filter": "ALTERNATIVE_STATUS_CONTENT_FILTER",
    "tool_calls": "ALTERNATIVE_STATUS_TOOL_CALLS",
}
PARTIAL: Final = "ALTERNATIVE_STATUS_PARTIAL"
LONGEST_TEXT: Final = 100_000
_ROLE_WORDS: Final = {"system": "▁Система", "user": "▁Пользователь", "assistant": "▁Ассистент"}
_TAIL: Final = b'},"modelVersion":"' + MODEL_VERSION.encode() + b'"}'


class InvalidRequestError(Exception):
    """The request breaks a rule; the message is the provider's."""


def read_request(body: dict[str, Any]) -> Ask:
    """Return the question that a native completion request asks.

    Raises:
        InvalidRequestError: out of range, wrong shape, empty text.
    """
    options = body.get("completionOptions") or {}
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError("messages: value is required")
    if body.get("jsonObject") and body.get("jsonSchema"):
        raise InvalidRequestError("json_object and json_schema are mutually exclusive")
    tools = [_tool(item) for item in body.get("tools") or []]
    ask = Ask(
        str(body.get("modelUri")),
        messages=len(messages),
        max_tokens=_max_tokens(options),
        stream=bool(options.get("stream")),
        tools=tools,
        tool_choice=_tool_choice(body.get("toolChoice") or {}),
        one_call=body.get("parallelToolCalls") is False,
        json_mode=bool(body.get("jsonObject")),
        json_schema=(body.get("jsonSchema") or {}).get("schema"),
        reasoning=(options.get("reasoningOptions") or {}).get("mode") == "ENABLED_HIDDEN",
        sampling=_sampling(body, options),
    )
    _read_messages(ask, messages)
    if tools:
        ask.prompt_tokens += tokenizer.count(dump(body["tools"]))
    return ask


def _sampling(body: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return all parameters as received: everything but texts, tools and the model."""
    rest = {
        key: value
        for key, value in body.items()
        if key not in ("messages", "tools", "modelUri", "completionOptions", "jsonSchema")
    }
    return {**options, **rest}


def _max_tokens(options: dict[str, Any]) -> int | None:
    temperature = options.get("temperature", 0.3)
    if not isinstance(temperature, int | float) or not 0 <= temperature <= 1:
        raise InvalidRequestError("temperature must be in range [0, 1]")
    value = options.get("maxTokens")
    if value is None:
        return None
    try:
        tokens = int(value)
    except (TypeError, ValueError):
        raise InvalidRequestError("max_tokens is not a number") from None
    if tokens <= 0:
        raise InvalidRequestError("max_tokens must be greater than 0")
    return tokens


def _tool(item: dict[str, Any]) -> Tool:
    function = item.get("function") or {}
    if not function.get("name"):
        raise InvalidRequestError("tools: function name is required")
    return Tool(function["name"], function.get("parameters") or {})


def _tool_choice(choice: dict[str, Any]) -> str:
    if choice.get("functionName"):
        return str(choice["functionName"])
    mode = str(choice.get("mode") or "AUTO").lower()
    if mode not in ("none", "auto", "required"):
        raise InvalidRequestError("tool_choice: unknown mode")
    return mode


def _read_messages(ask: Ask, messages: list[dict[str, Any]]) -> None:
    called: set[str] = set()
    tokens = 2
    for message in messages:
        if message.get("role") not in _ROLE_WORDS:
            raise InvalidRequestError(f"unknown message role '{message.get('role')}'")
        text, ask.after_tool_result = _message_text(message, called), False
        if "toolResultList" in message:
            ask.after_tool_result = True
        elif message["role"] == "user":
            ask.prompt = text
        ask.prompt_chars += len(text)
        tokens += 3 + tokenizer.count(text)
    ask.prompt_tokens = tokens


def _message_text(message: dict[str, Any], called: set[str]) -> str:
    if "toolCallList" in message:
        calls = [item["functionCall"] for item in message["toolCallList"].get("toolCalls", [])]
        called.update(call["name"] for call in calls)
        return " ".join(f"{call['name']} {dump(call.get('arguments'))}" for call in calls)
    if "toolResultList" in message:
        results = [item["functionResult"] for item in message["toolResultList"].get("toolResults", [])]
        for result in results:
            if result["name"] not in called:
                raise InvalidRequestError(f"tool result for '{result['name']}' has no tool call")
        return " ".join(f"{result['name']} {result.get('content', '')}" for result in results)
    text = message.get("text", "")
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
        size = len(text) if isinstance(text, str) else 0
        raise InvalidRequestError(f"text length is {size}, which is outside the range (0, {LONGEST_TEXT}]")
    return text


def request_pieces(body: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the tokens of a whole request with its chat template: (text, is special)."""
    found = [("<s>", True)]
    for message in body["messages"]:
        found += [(_ROLE_WORDS[message["role"]], False), (":", False)]
        text = _message_text(message, _AnyName())
        found += [(piece, False) for piece in tokenizer.pieces(text)]
        found.append(("[NL]", True))
    found += [(piece, False) for piece in tokenizer.pieces(dump(body["tools"]))] if body.get("tools") else []
    return [*found, ("[SEP]", True)]


class _AnyName(set[str]):
    def __contains__(self, name: object) -> bool:
        return True


def result(answer: Answer, text: bytes, status: str, shown: int) -> bytes:
    """Return the `result` object around one state of the answer; text is a JSON string."""
    return b'{"result":' + _response(answer, b'{"role":"assistant","text":' + text + b"}", status, shown) + b"}"


def response(answer: Answer) -> bytes:
    """Return the finished answer without the `result` wrapper (an Operation carries it so)."""
    return _response(answer, _final_message(answer), STATUS_OF_FINISH[answer.finish], answer.shown_tokens)


def _response(answer: Answer, message: bytes, status: str, shown: int) -> bytes:
    alternatives = b'{"alternatives":[{"message":%b,"status":"%b"}]' % (message, status.encode())
    if answer.has("usage_missing"):
        return alternatives + _TAIL[1:]
    return alternatives + _usage(answer, shown) + _TAIL


def _usage(answer: Answer, shown: int) -> bytes:
    prompt, completion, reasoning = answer.prompt_tokens, shown + answer.reasoning_tokens, answer.reasoning_tokens
    if answer.has("usage_zero"):
        prompt = completion = reasoning = 0
    details = b'{"reasoningTokens":"%d"}' % reasoning if reasoning else b"{}"
    return b',"usage":{"inputTextTokens":"%d","completionTokens":"%d","totalTokens":"%d",%b' % (
        prompt,
        completion,
        prompt + completion,
        b'"completionTokensDetails":' + details,
    )


def _final_message(answer: Answer) -> bytes:
    if not answer.calls:
        return b'{"role":"assistant","text":' + msgspec.json.encode(answer.text) + b"}"
    calls = [{"functionCall": {"name": name, "arguments": _struct(answer, args)}} for name, args in answer.calls]
    return msgspec.json.encode({"role": "assistant", "toolCallList": {"toolCalls": calls}})


def _struct(answer: Answer, value: Any) -> Any:
    """Return arguments as protobuf's Struct would print them."""
    if not answer.has("struct_doubles"):
        return value
    if isinstance(value, dict):
        return {key: _struct(answer, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_struct(answer, part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def stream_lines(answer: Answer) -> tuple[list[bytes], list[int]]:
    """Return the NDJSON lines, text cumulative, and the completion tokens that each brings the total to."""
    lines, marks = _partials(answer)
    error_at = answer.strikes_at("mid_stream_error")
    if error_at is not None and answer.fault is not None:
        lines, marks = lines[:error_at], marks[:error_at]
        lines.append(error_body(int(answer.fault.number("code", 500))) + b"\n")
        return lines, [*marks, marks[-1] if marks else 0]
    lines.append(b'{"result":' + response(answer) + b"}\n")
    marks.append(answer.completion_tokens)
    if answer.has("usage_duplicate"):
        lines.append(lines[-1])
        marks.append(marks[-1])
    return lines, marks


def _partials(answer: Answer) -> tuple[list[bytes], list[int]]:
    hidden = answer.reasoning_tokens
    if answer.calls:
        return [result(answer, b'""', PARTIAL, 0) + b"\n"], [hidden]
    if answer.replaced_text is not None:
        texts = [(text, tokenizer.count(text)) for text in answer.withdrawn()]
    else:
        texts = [(answer.text[:end], shown) for end, shown in answer.borders()]
        texts = _rewritten(answer, texts)
    lines = [result(answer, msgspec.json.encode(text), PARTIAL, shown) + b"\n" for text, shown in texts]
    return lines, [shown + hidden for _, shown in texts]


def _rewritten(answer: Answer, texts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Change earlier text in later partials, for good or (restore) in one partial only."""
    after = answer.strikes_at("prefix_rewrite")
    if after is None or answer.fault is None:
        return texts
    restore = "restore" in answer.fault.args
    old = answer.text.split(" ", 1)[0]

    def rewrite(text: str) -> str:
        return "правка" + text[len(old) :]

    changed = [
        (rewrite(text), shown) if number == after or (number > after and not restore) else (text, shown)
        for number, (text, shown) in enumerate(texts)
    ]
    if not restore and after < len(texts):
        answer.passage.text = rewrite(answer.text)
    return changed
