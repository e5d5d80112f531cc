"""A chat body -> the one form that the rest of the gateway knows: checked messages, no legacy fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from services.gateway.edge.reading.json_body import decode_part, invalid_field
from services.gateway.inference.tool_use import as_function_call, normalise_tools
from services.gateway.schemas.inference import (
    ChatMessage,
    ChatRequest,
    ContentPart,
    ToolCall,
)

# Each is decoded by itself: twice as many would hold everybody else up.
MAX_PARTS: Final = 2000
_PART: Final = msgspec.json.Decoder(ContentPart)
_PLAIN: Final = frozenset(("user", "system", "developer"))


@dataclass(frozen=True, slots=True)
class Normalised:
    """What is left to say of a body in its new form.

    Attributes:
        legacy: the caller speaks the old `functions` dialect and wants `function_call` back.
        left_out: fields that no provider could be told, by their path.
    """

    legacy: bool
    left_out: list[str]


def normalise(request: ChatRequest) -> Normalised:
    """Check what types cannot say, and bring old forms to the new one, in place.

    Raises:
        InvalidRequest: a field is missing or contradicts another; it is named.
    """
    _join_prompt(request)
    messages = request.messages
    if not messages:
        raise invalid_field("messages", "At least one message is needed")
    if sum([len(message.content) for message in messages if type(message.content) is list]) > MAX_PARTS:
        raise invalid_field("messages", f"The messages have more than {MAX_PARTS} content parts")
    legacy = request.functions is not None
    left_out: list[str] = []
    for index, message in enumerate(messages):
        is_text = type(message.content) is str and message.tool_calls is None
        if is_text and (message.role in _PLAIN or _is_plain_answer(message)):
            continue
        _check_message(message, index)
        legacy = _modernise(message, index) or legacy
    left_out += normalise_tools(request)
    _check_together(request)
    return Normalised(legacy, [*dict.fromkeys([*left_out, *_unsaid(request)])])


def answer_turn(text: str, calls: Sequence[ToolCall], thought: str) -> ChatMessage:
    """Return what a model said as a message of the chat: of calls alone the content is null."""
    return ChatMessage(
        role="assistant",
        content=text if text or not calls else None,
        tool_calls=list(calls) or None,
        reasoning_content=thought or None,
    )


def _join_prompt(request: ChatRequest) -> None:
    if request.prompt is None:
        if request.messages is None:
            raise invalid_field("messages", "This field is required")
        return
    if request.messages is not None:
        raise invalid_field("prompt", "Give `messages` or `prompt`, not both")
    if not request.prompt:
        raise invalid_field("prompt", "The prompt is empty")
    request.messages = [ChatMessage(role="user", content=request.prompt)]


def _unsaid(request: ChatRequest) -> list[str]:
    """Return the rare parts of known fields that are read by nobody."""
    form, options = request.response_format, request.stream_options
    unsaid = []
    if options is not None and options.include_obfuscation:
        unsaid.append("stream_options.include_obfuscation")
    if form is not None and form.json_schema is not None and form.json_schema.description:
        unsaid.append("response_format.json_schema.description")
    return unsaid


def _is_plain_answer(message: ChatMessage) -> bool:
    return message.role == "assistant" and message.function_call is None and not message.reasoning_content


def _check_message(message: ChatMessage, index: int) -> None:
    where = f"messages[{index}]"
    content = message.content
    if isinstance(content, list):
        if not content:
            raise invalid_field(f"{where}.content", "The list of parts is empty")
        for number, raw in enumerate(content):
            content[number] = _checked_part(raw, f"{where}.content[{number}]")
    elif content is None and message.role == "assistant" and message.refusal:
        message.content = message.refusal
    elif content is None and not (message.role == "assistant" and (message.tool_calls or message.function_call)):
        raise invalid_field(f"{where}.content", "Expected a string or a list of parts, got null: there is no tool call")
    if message.role == "tool" and not message.tool_call_id:
        raise invalid_field(f"{where}.tool_call_id", "A message of role `tool` needs the id of the call it answers")
    if message.role == "function" and not message.name:
        raise invalid_field(f"{where}.name", "A message of role `function` needs the function's name")
    if message.tool_calls is not None and message.role != "assistant":
        raise invalid_field(f"{where}.tool_calls", "Only messages of role `assistant` have tool calls")
    for number, call in enumerate(message.tool_calls or ()):
        as_function_call(call, f"{where}.tool_calls[{number}]")


def _checked_part(raw: msgspec.Raw, where: str) -> msgspec.Raw:
    """Return a part as providers know it: what a model refused with is its text, as in `refusal` of a message."""
    part = decode_part(_PART, raw, where)
    if getattr(part, part.type) is None:
        raise invalid_field(f"{where}.{part.type}", "This field is required")
    if part.type != "refusal":
        return raw
    return msgspec.Raw(msgspec.json.encode({"type": "text", "text": part.refusal}))


def _modernise(message: ChatMessage, index: int) -> bool:
    """Turn `function_call` and role `function` into tool calls; tell whether there was one."""
    if message.role == "function":
        message.role, message.tool_call_id = "tool", f"call_{message.name}"
        return True
    if message.function_call is None:
        return False
    if message.role != "assistant" or message.tool_calls:
        raise invalid_field(
            f"messages[{index}].function_call", "This field stands alone, in a message of role `assistant`"
        )
    call = message.function_call
    message.tool_calls, message.function_call = [ToolCall(function=call, id=f"call_{call.name}")], None
    return True


def _check_together(request: ChatRequest) -> None:
    if request.stream_options is not None and not request.stream:
        raise invalid_field("stream_options", "It is only allowed together with `stream: true`")
    form = request.response_format
    if form is None or form.type != "json_schema":
        return
    if form.json_schema is None:
        raise invalid_field("response_format.json_schema", "This field is required")
    if form.json_schema.schema is None:
        raise invalid_field(
            "response_format.json_schema.schema", "This field is required: a schema of any JSON is `{}`"
        )
