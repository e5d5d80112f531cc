"""A body of the Messages API -> the chat that is asked for, and the names of what has no place in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.field_origins import Origin, Origins
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.inference.anthropic.schemas import (
    MessagesRequest,
    TextBlock,
    ToolDefinition,
    answer_schema,
)
from services.gateway.inference.anthropic.turns import Turns
from services.gateway.inference.tool_use import name_that_fits
from services.gateway.schemas.inference import (
    ChatMessage,
    ChatRequest,
    FunctionDefinition,
    FunctionNamed,
    NamedToolChoice,
    ResponseFormat,
    Tool,
)

# What the model may think at most -> the effort that chats name; above the last one it is "high".
_BUDGETS: Final[tuple[tuple[int, str], ...]] = ((2048, "low"), (8192, "medium"))
_EFFORTS: Final = {"max": "xhigh"}
# Anthropic's word for no priority -> OpenAI's, which knows no other.
_TIERS: Final = {"standard_only": "default"}
# Between tools a model reports what it does and thinks no more than one whose thinking is disabled.
_NO_THOUGHTS: Final = ("disabled", "between_tools")
# Fields of a chat, and the ends of paths in it, as they are called here.
_NAMES: Final = {
    "stop": "stop_sequences",
    "messages[].reasoning_content": "messages[].content[].thinking",
    "user": "metadata.user_id",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "response_format.json_schema": "output_config.format",
    "response_format": "output_config.format",
    ".parameters": ".input_schema",
    ".image_url.url": ".source",
    ".image_url": "",
    ".file.": ".source.",
    ".function.arguments": ".input",
    ".function.": ".",
    ".tool_call_id": ".tool_use_id",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat, and the names of the fields that nothing in it stands for."""

    chat: ChatRequest
    left_out: list[str]
    origins: Origins
    names: Mapping[str, str]
    """The caller's names of functions, by their names in the chat."""


def to_chat(request: MessagesRequest) -> Conversation:
    """Return the chat that a body asks for.

    Raises:
        InvalidRequest: something cannot be said in a chat; the field is named as the caller knows it.
    """
    if request.thread:
        raise _no_threads()
    system = _system(request.system)
    turns = Turns()
    for index, message in enumerate(request.messages):
        turns.add(message, f"messages[{index}]")
    names: dict[str, str] = {}
    tools, paths, left_out = _tools(request.tools or (), names)
    chat = ChatRequest(
        model=request.model,
        messages=[*system, *turns.messages],
        stream=request.stream,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        max_tokens=request.max_tokens,
        stop=request.stop_sequences,
        tools=[*tools] or None,
        response_format=_form(request),
        reasoning_effort=_effort(request),
        user=request.metadata.user_id if request.metadata else None,
        service_tier=_TIERS.get(request.service_tier or "", request.service_tier),
    )
    _choose(chat, request, tools)
    origins = [*(Origin("system") for _ in system), *turns.origins]
    effort = "thinking" if request.thinking else "output_config.effort"
    return Conversation(
        chat, [*left_out, *turns.left_out], Origins(origins, paths, {**_NAMES, "reasoning_effort": effort}), names
    )


def _no_threads() -> InvalidRequest:
    """Refuse a conversation that the server is to hold, in the words by which Anthropic's clients send it whole."""
    return InvalidRequest(
        ErrorReason.UNSUPPORTED_PARAMETER,
        "Conversations are not held here (field `thread`): send the whole conversation.",
        param="thread",
        details={"error_code": "thread_unsupported_request"},
    )


def _system(system: str | list[TextBlock] | None) -> list[ChatMessage]:
    text = system if isinstance(system, str) else "\n".join(block.text for block in system or ())
    return [ChatMessage(role="system", content=text)] if text else []


def _tools(given: Sequence[ToolDefinition], names: dict[str, str]) -> tuple[list[Tool], list[str], list[str]]:
    """Return the tools of the caller, their paths, and the names of those that only Anthropic's own servers run.

    `names` is told what the caller calls each function, by its name in the chat.
    """
    tools: list[Tool] = []
    paths: list[str] = []
    left_out: list[str] = []
    for index, tool in enumerate(given):
        if tool.input_schema is not None:
            if tool.name is None:
                raise invalid_field(f"tools[{index}].name", "This field is required")
            called = name_that_fits(tool.name)
            if names.setdefault(called, tool.name) != tool.name:
                raise invalid_field(
                    f"tools[{index}].name", f"Another tool is called {called!r} here: rename one of them"
                )
            paths.append(f"tools[{index}]")
            function = FunctionDefinition(called, tool.description, tool.input_schema, tool.strict)
            tools.append(Tool(function=function))
        elif tool.type in (None, "custom"):
            raise invalid_field(f"tools[{index}].input_schema", "This field is required")
        else:
            left_out.append(f"tools[{index}]={tool.type}")
    return tools, paths, left_out


def _choose(chat: ChatRequest, request: MessagesRequest, tools: Sequence[Tool]) -> None:
    choice = request.tool_choice
    if choice is None:
        return
    if choice.disable_parallel_tool_use:
        chat.parallel_tool_calls = False
    if choice.type == "tool":
        name = name_that_fits(choice.name or "")
        if all(tool.function.name != name for tool in tools):
            raise invalid_field("tool_choice.name", "`tools` has no tool of this name with an `input_schema`")
        chat.tool_choice = NamedToolChoice(function=FunctionNamed(name))
    elif choice.type == "any":
        if not tools:
            raise invalid_field("tool_choice", "It is only allowed together with `tools`")
        chat.tool_choice = "required"
    elif tools:
        chat.tool_choice = choice.type


def _form(request: MessagesRequest) -> ResponseFormat | None:
    form = request.output_config.format if request.output_config else None
    return ResponseFormat("json_schema", answer_schema(form)) if form else None


def _effort(request: MessagesRequest) -> str | None:
    config, thinking = request.output_config, request.thinking
    if thinking is not None and thinking.type in _NO_THOUGHTS:
        return "none"
    if config is not None and config.effort is not None:
        return _EFFORTS.get(config.effort, config.effort)
    if thinking is None:
        return None
    budget = thinking.budget_tokens
    if thinking.type == "adaptive" or budget is None:
        return "medium"
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")
