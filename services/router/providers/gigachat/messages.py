"""A conversation in the words of GigaChat's API v1: its order rules are strict, each breach is a 422."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from services.router.domain.completion import Message, Prompt, Role, ToolCall
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.parameters import call_arguments

NAME: Final = "GigaChat"
JSON_INSTRUCTION: Final = (
    "Ответь одним объектом JSON и ничем больше: без пояснений и без разметки. "
    "Reply with a single JSON object and nothing else: no explanations, no markdown."
)
CALL_INSTRUCTION: Final = (
    "Ответь вызовом одной из функций, а не текстом. Reply with a call of one of the functions, not with text."
)
Attachments = Mapping[int, Sequence[str]]
"""Ids of uploaded files by message number."""


def messages_of(prompt: Prompt, attachments: Attachments, ids: ToolCallIds, dropped: list[str]) -> list[dict[str, Any]]:
    """Return the messages: one system message first, each call with its result right behind it.

    Raises:
        InvalidRequest: a call without a result, or a result without a call.
    """
    ids = ids.of(prompt.tenant)
    offered = [tool.name for tool in prompt.tools]
    system = [text_of(message) for message in prompt.messages if message.role is Role.SYSTEM]
    if prompt.response_format is not None and prompt.response_format.type == "json_object":
        system.append(JSON_INSTRUCTION)
    if must_call_any(prompt):
        system.append(CALL_INSTRUCTION)
    joined = "\n".join(text for text in system if text)
    turns: list[dict[str, Any]] = [{"role": "system", "content": joined}] if joined else []
    if any(message.name and message.role is not Role.TOOL for message in prompt.messages):
        dropped.append("messages[].name")
    numbered = [(at, message) for at, message in enumerate(prompt.messages) if message.role is not Role.SYSTEM]
    while numbered:
        at, message = numbered.pop(0)
        if message.tool_calls:
            turns.extend(_calls_with_results(message, at, _results(numbered), ids))
        elif message.role is Role.TOOL:
            name = ids.name_in(message.tool_call_id, offered) or message.name
            if not name:
                raise failures.no_such_call(at)
            turns.append(_result(name, message))
        else:
            turns.append(_said(message, attachments.get(at, ())))
    return turns


def must_call_any(prompt: Prompt) -> bool:
    """Tell whether one of several functions must be called: the API can be made to call one, not any."""
    return len(prompt.tools) > 1 and prompt.tool_choice is not None and prompt.tool_choice.mode == "required"


def text_of(message: Message) -> str:
    """Return the text of a message; its other parts travel as attachments."""
    if not message.parts:
        return message.content
    return "\n".join(part.text for part in message.parts if part.type == "text")


def _said(message: Message, files: Sequence[str]) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role.value, "content": text_of(message)}
    if files:
        said["attachments"] = list(files)
    return said


def _results(numbered: list[tuple[int, Message]]) -> dict[str, Message]:
    """Take the results that follow and return them by the id of their call."""
    results: dict[str, Message] = {}
    while numbered and numbered[0][1].role is Role.TOOL:
        _, message = numbered.pop(0)
        results[message.tool_call_id] = message
    return results


def _calls_with_results(
    message: Message, at: int, results: dict[str, Message], ids: ToolCallIds
) -> list[dict[str, Any]]:
    """Return the calls one by one, each with its result: the API takes one call a message."""
    turns: list[dict[str, Any]] = []
    for number, call in enumerate(message.tool_calls):
        param = f"messages[{at}].tool_calls[{number}]"
        result = results.pop(call.id, None)
        if result is None:
            raise failures.invalid(param, "This tool call has no result behind it; GigaChat needs one.")
        turns.append(_call(call, text_of(message) if number == 0 else "", ids))
        turns.append(_result(call.name, result))
    if results:
        raise failures.invalid(f"messages[{at}].tool_calls", "A result behind this message answers none of its calls.")
    return turns


def _call(call: ToolCall, text: str, ids: ToolCallIds) -> dict[str, Any]:
    turn: dict[str, Any] = {
        "role": "assistant",
        "content": text,
        "function_call": {"name": call.name, "arguments": call_arguments(call.arguments)},
    }
    state = ids.decode(call.id)
    if state is not None and state.state:
        turn["functions_state_id"] = state.state
    return turn


def _result(name: str, message: Message) -> dict[str, Any]:
    return {"role": "function", "name": name, "content": as_json(text_of(message))}


def as_json(text: str) -> str:
    """Return a function's result as the JSON text of an object; anything else is wrapped, for it is a 422."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = text
    return text if isinstance(value, dict) else msgspec.json.encode({"result": value}).decode()
