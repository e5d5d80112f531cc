"""Converts a conversation to GigaChat's API v1, whose strict order rules answer each breach with 422."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from servicekit.errors import invalid_parameter
from services.router.domain.completion import ContentPart, Message, Prompt, Role, ToolCall
from services.router.domain.tool_call_id import OfferedNames, ToolCallIds
from services.router.providers import failures
from services.router.providers.parameters import call_arguments

NAME: Final = "GigaChat"
JSON_INSTRUCTION: Final = (
    "Ответь одним объектом JSON и ничем больше: без пояснений и без разметки. "
    "Reply with a single JSON object and nothing else: no explanations, no markdown."
)
IMAGE_PART: Final = "image_url"
_IMAGE: Final = "Изображение {}"
CALL_INSTRUCTION: Final = (
    "Ответь вызовом одной из функций, а не текстом. Reply with a call of one of the functions, not with text."
)
Attachments = Mapping[int, Sequence[str]]
"""Ids of uploaded files by message number, in the order of the message's parts."""


def messages_of(prompt: Prompt, attachments: Attachments, ids: ToolCallIds, dropped: list[str]) -> list[dict[str, Any]]:
    """Return the messages: one system message first, each call with its result right behind it.

    Raises:
        InvalidRequest: a call without a result, or a result without a call.
    """
    ids = ids.of(prompt.tenant)
    offered = OfferedNames(ids, [tool.name for tool in prompt.tools])
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
            results = _results(numbered)
            by_call = {result.tool_call_id: result for _, result in results}
            turns.extend(_calls_with_results(message, at, by_call, ids))
            turns.extend(_shown(results, attachments))
        elif message.role is Role.TOOL:
            name = offered.of(message.tool_call_id) or message.name
            if not name:
                raise failures.no_such_call(at)
            turns.append(_result(name, message))
            turns.extend(_shown([(at, message)], attachments))
        else:
            turns.extend(_said(message, attachments.get(at, ())))
    return turns


def must_call_any(prompt: Prompt) -> bool:
    """Tell whether one of several functions must be called: the API can be made to call one, not any."""
    return len(prompt.tools) > 1 and prompt.tool_choice is not None and prompt.tool_choice.mode == "required"


def text_of(message: Message) -> str:
    """Return the text of a message; its other parts travel as attachments."""
    if not message.parts:
        return message.content
    return "\n".join(part.text for part in message.parts if part.type == "text")


def _said(message: Message, files: Sequence[str]) -> list[dict[str, Any]]:
    """Return the message; one with several images as several, for the API takes one image a message."""
    role = message.role.value
    if not files:
        return [{"role": role, "content": text_of(message)}]
    pieces = _pieces(message, files)
    # Behind the first, a piece without words is named by its number: so the model can be asked about it, too.
    return [
        {
            "role": role,
            "content": piece.text or (_IMAGE.format(number) if number > 1 else ""),
            "attachments": piece.files,
        }
        for number, piece in enumerate(pieces, 1)
    ]


class _Piece:
    """Consecutive parts with at most one image."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.files: list[str] = []
        self.has_image = False

    @property
    def text(self) -> str:
        return "\n".join(self._texts)

    def add(self, part: ContentPart, files: Iterator[str]) -> None:
        if part.type == "text":
            self._texts.append(part.text)
        else:
            self.files.append(next(files))
            self.has_image = self.has_image or part.type == IMAGE_PART


def _pieces(message: Message, files: Sequence[str]) -> list[_Piece]:
    """Cut the message before each image but the first, and before the words that lead to it."""
    waiting, pieces = iter(files), [_Piece()]
    for part, following in zip(message.parts, (*message.parts[1:], None), strict=True):
        begins = part.type == IMAGE_PART or (
            part.type == "text" and following is not None and following.type == IMAGE_PART
        )
        if begins and pieces[-1].has_image:
            pieces.append(_Piece())
        pieces[-1].add(part, waiting)
    return pieces


def _results(numbered: list[tuple[int, Message]]) -> list[tuple[int, Message]]:
    """Take the results that follow."""
    results: list[tuple[int, Message]] = []
    while numbered and numbered[0][1].role is Role.TOOL:
        results.append(numbered.pop(0))
    return results


def _shown(results: Sequence[tuple[int, Message]], attachments: Attachments) -> list[dict[str, Any]]:
    """Return what of results is no text: a result takes none, so it follows them, as the user's."""
    return [
        turn
        for at, message in results
        if (files := attachments.get(at))
        for turn in _said(Message(Role.USER, parts=[part for part in message.parts if part.type != "text"]), files)
    ]


def _calls_with_results(
    message: Message, at: int, results: dict[str, Message], ids: ToolCallIds
) -> list[dict[str, Any]]:
    """Return the calls one by one, each with its result: the API takes one call a message."""
    turns: list[dict[str, Any]] = []
    for number, call in enumerate(message.tool_calls):
        param = f"messages[{at}].tool_calls[{number}]"
        result = results.pop(call.id, None)
        if result is None:
            raise invalid_parameter(param, "This tool call has no result behind it; GigaChat needs one.")
        turns.append(_call(call, text_of(message) if number == 0 else "", ids))
        turns.append(_result(call.name, result))
    if results:
        raise invalid_parameter(f"messages[{at}].tool_calls", "A result behind this message answers none of its calls.")
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
