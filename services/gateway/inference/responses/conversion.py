"""A body of the Responses API -> the chat that is asked for, and the names of what has no place in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from services.gateway.edge.reading.field_origins import Origin, Origins
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.inference.responses.schemas import (
    ResponsesRequest,
    ResponsesToolChoice,
    TextFormat,
)
from services.gateway.inference.responses.tools import offered
from services.gateway.inference.responses.turns import Turns, not_offered
from services.gateway.inference.tool_use import name_that_fits
from services.gateway.schemas.inference import (
    ChatMessage,
    ChatRequest,
    FunctionNamed,
    JsonSchemaFormat,
    NamedToolChoice,
    ResponseFormat,
    Tool,
)

# Fields of a chat, and the ends of paths in it, as they are called here.
_NAMES: Final = {
    "messages[].reasoning_content": "input[].reasoning",
    "messages": "input",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    ".image_url.url": ".image_url",
    ".file.": ".",
    ".function.": ".",
    ".tool_call_id": ".call_id",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat, what the input alone says in it, and the names of the fields that nothing in it stands for."""

    chat: ChatRequest
    said: list[ChatMessage]
    left_out: list[str]
    origins: Origins
    names: Mapping[str, tuple[str, str]]
    """Namespace and name of a function in one, by its name in the chat."""


def to_chat(request: ResponsesRequest, before: Sequence[ChatMessage]) -> Conversation:
    """Return the chat that a body asks for; `before` is what was said in the turns before it.

    Raises:
        InvalidRequest: something cannot be said in a chat; the field is named as the caller knows it.
    """
    _refuse_what_is_not_here(request)
    turns = _said(request.input)
    tools = offered(request.tools or (), request.tool_choice)
    left_out = [*tools.left_out, *turns.left_out]
    instructions = [ChatMessage(role="developer", content=request.instructions)] if request.instructions else []
    chat = ChatRequest(
        model=request.model,
        messages=[*instructions, *before, *turns.messages],
        stream=request.stream,
        temperature=request.temperature,
        top_p=request.top_p,
        max_completion_tokens=request.max_output_tokens,
        tools=[*tools.tools] or None,
        parallel_tool_calls=request.parallel_tool_calls if tools.tools else None,
        reasoning_effort=request.reasoning.effort if request.reasoning else None,
        verbosity=request.text.verbosity if request.text else None,
        response_format=_form(request.text.format if request.text else None),
        user=request.user,
        safety_identifier=request.safety_identifier,
        prompt_cache_key=request.prompt_cache_key,
        service_tier=request.service_tier,
    )
    _choose(chat, request, tools.tools, left_out)
    if request.truncation == "auto":
        left_out.append("truncation=auto")
    unseen = [*(Origin("instructions") for _ in instructions), *(Origin("previous_response_id") for _ in before)]
    return Conversation(
        chat, turns.messages, left_out, Origins([*unseen, *turns.origins], tools.paths, _NAMES), tools.names
    )


def _refuse_what_is_not_here(request: ResponsesRequest) -> None:
    for field, asked, remedy in (
        ("background", request.background, "wait for the answer, or stream it"),
        ("conversation", request.conversation, "use `previous_response_id`"),
        ("prompt", request.prompt, "send its text as `instructions`"),
    ):
        # An explicit null or false says nothing.
        if asked:
            raise not_offered(field, remedy)


def _said(input: str | list[Raw]) -> Turns:
    turns = Turns()
    if isinstance(input, str):
        turns.messages.append(ChatMessage(role="user", content=input))
        turns.origins.append(Origin("input"))
        return turns
    for index, raw in enumerate(input):
        turns.add(raw, f"input[{index}]")
    turns.end()
    return turns


def _choose(chat: ChatRequest, request: ResponsesRequest, tools: Sequence[Tool], left_out: list[str]) -> None:
    choice = request.tool_choice
    if isinstance(choice, ResponsesToolChoice):
        if choice.type == "allowed_tools":
            chat.tool_choice = (choice.mode or "auto") if chat.tools else None
        elif choice.type == "function":
            name = name_that_fits(choice.name or "")
            if all(tool.function.name != name for tool in tools):
                raise invalid_field("tool_choice.name", "`tools` has no function of this name")
            chat.tool_choice = NamedToolChoice(function=FunctionNamed(name))
        else:
            left_out.append(f"tool_choice={choice.type}")
    elif choice == "required" and not chat.tools:
        raise invalid_field("tool_choice", "It is only allowed together with functions in `tools`")
    elif chat.tools:
        chat.tool_choice = choice


def _form(form: TextFormat | None) -> ResponseFormat | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return ResponseFormat("json_object")
    if form.schema is None:
        raise invalid_field("text.format.schema", "This field is required")
    schema = JsonSchemaFormat(form.name or "answer", form.schema, form.description, form.strict)
    return ResponseFormat("json_schema", schema)
