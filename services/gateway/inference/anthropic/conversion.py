"""A body of the Messages API -> the chat that is asked for, and the names of what has no place in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from servicekit.errors import InvalidRequest
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.inference.anthropic.schemas import (
    Base64Source,
    Block,
    DocumentBlock,
    ImageBlock,
    InputMessage,
    MessagesRequest,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolDefinition,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
    answer_schema,
)
from services.gateway.inference.conversation import MAX_PARTS
from services.gateway.inference.schemas import (
    ChatMessage,
    ChatRequest,
    FunctionCall,
    FunctionDefinition,
    FunctionNamed,
    NamedToolChoice,
    ResponseFormat,
    Tool,
    ToolCall,
)

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
# What the model may think at most -> the effort that chats name; above the last one it is "high".
_BUDGETS: Final[tuple[tuple[int, Effort], ...]] = ((2048, "low"), (8192, "medium"))
_EFFORTS: Final[dict[str, Effort]] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "xhigh",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat, and the names of the fields that nothing in it stands for."""

    chat: ChatRequest
    left_out: list[str]


def to_chat(request: MessagesRequest) -> Conversation:
    """Return the chat that a body asks for.

    Raises:
        InvalidRequest: something cannot be said in a chat; the field is named as the caller knows it.
    """
    if sum(len(message.content) for message in request.messages if isinstance(message.content, list)) > MAX_PARTS:
        raise invalid_field("messages", f"The messages have more than {MAX_PARTS} content blocks")
    messages = _system(request.system)
    for index, message in enumerate(request.messages):
        messages.extend(_turn(message, f"messages[{index}]"))
    tools, left_out = _tools(request.tools or ())
    blocks = (message.content for message in request.messages if isinstance(message.content, list))
    if any(isinstance(block, ThinkingBlock) for content in blocks for block in content):
        left_out.append("messages[].content[].thinking")
    chat = ChatRequest(
        model=request.model,
        messages=messages,
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
        service_tier=request.service_tier,
    )
    _choose(chat, request, tools)
    return Conversation(chat, left_out)


def _system(system: str | list[TextBlock] | None) -> list[ChatMessage]:
    text = system if isinstance(system, str) else "\n".join(block.text for block in system or ())
    return [ChatMessage(role="system", content=text)] if text else []


def _turn(message: InputMessage, where: str) -> list[ChatMessage]:
    if isinstance(message.content, str):
        return [ChatMessage(role=message.role, content=message.content)]
    if not message.content:
        raise invalid_field(f"{where}.content", "The list of blocks is empty")
    if message.role == "assistant":
        return [_assistant(message.content, where)]
    return _asked(message.role, message.content, where)


def _assistant(blocks: Sequence[Block], where: str) -> ChatMessage:
    texts: list[str] = []
    calls: list[ToolCall] = []
    for number, block in enumerate(blocks):
        match block:
            case TextBlock():
                texts.append(block.text)
            case ToolUseBlock():
                arguments = msgspec.json.encode(block.input).decode()
                calls.append(ToolCall(block.id, FunctionCall(block.name, arguments)))
            case ThinkingBlock() | RedactedThinkingBlock():
                pass  # No provider takes back what a model thought.
            case _:
                raise _misplaced(where, number, "assistant")
    text = "".join(texts)
    content = text if text or not calls else None
    return ChatMessage(role="assistant", content=content, tool_calls=calls or None)


def _asked(role: Literal["user", "assistant", "system"], blocks: Sequence[Block], where: str) -> list[ChatMessage]:
    """Results of calls stand first, each a message of its own: so chats have them."""
    results: list[ChatMessage] = []
    parts: list[dict[str, Any]] = []
    for number, block in enumerate(blocks):
        match block:
            case TextBlock():
                parts.append(_text(block.text))
            case ImageBlock():
                parts.append(_image(block))
            case DocumentBlock():
                parts.append(_document(block, f"{where}.content[{number}]"))
            case ToolResultBlock():
                results.append(_result(block))
                parts.extend(_image(each) for each in _images(block))
            case _:
                raise _misplaced(where, number, role)
    return [*results, *([ChatMessage(role=role, content=_content(parts))] if parts else [])]


def _content(parts: list[dict[str, Any]]) -> str | list[Raw]:
    """Plain text where there is only text: what every model takes."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return [Raw(msgspec.json.encode(part)) for part in parts]


def _result(block: ToolResultBlock) -> ChatMessage:
    content = block.content
    text = content if isinstance(content, str) else "\n".join(each.text for each in _texts(content or ()))
    # Chats know no failed call; the model can still be told.
    text = f"Error: {text}" if block.is_error else text
    return ChatMessage(role="tool", content=text, tool_call_id=block.tool_use_id)


def _texts(blocks: Iterable[TextBlock | ImageBlock]) -> list[TextBlock]:
    return [block for block in blocks if isinstance(block, TextBlock)]


def _images(block: ToolResultBlock) -> list[ImageBlock]:
    if block.content is None or isinstance(block.content, str):
        return []
    return [each for each in block.content if isinstance(each, ImageBlock)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(block: ImageBlock) -> dict[str, Any]:
    source = block.source
    if isinstance(source, Base64Source):
        return {"type": "image_url", "image_url": {"url": f"data:{source.media_type};base64,{source.data}"}}
    if isinstance(source, UrlSource):
        return {"type": "image_url", "image_url": {"url": source.url}}
    return {"type": "file", "file": {"file_id": source.file_id}}


def _document(block: DocumentBlock, where: str) -> dict[str, Any]:
    source = block.source
    if isinstance(source, TextSource):
        return _text("\n".join(text for text in (block.title, block.context, source.data) if text))
    if isinstance(source, Base64Source):
        if source.media_type != "application/pdf":
            raise invalid_field(
                f"{where}.source.media_type", "A document is `application/pdf`, or of source type `text`"
            )
        data = f"data:{source.media_type};base64,{source.data}"
        return {"type": "file", "file": {"filename": block.title or "document.pdf", "file_data": data}}
    return {"type": "file", "file": {"file_id": source.file_id}}


def _tools(given: Sequence[ToolDefinition]) -> tuple[list[Tool], list[str]]:
    """Return the tools of the caller, and the names of those that only Anthropic's own servers run."""
    tools: list[Tool] = []
    left_out: list[str] = []
    for index, tool in enumerate(given):
        if tool.input_schema is not None:
            function = FunctionDefinition(tool.name, tool.description, tool.input_schema, tool.strict)
            tools.append(Tool(function=function))
        elif tool.type in (None, "custom"):
            raise invalid_field(f"tools[{index}].input_schema", "This field is required")
        else:
            left_out.append(f"tools[{index}]={tool.type}")
    return tools, left_out


def _choose(chat: ChatRequest, request: MessagesRequest, tools: Sequence[Tool]) -> None:
    choice = request.tool_choice
    if choice is None:
        return
    if choice.disable_parallel_tool_use:
        chat.parallel_tool_calls = False
    if choice.type == "tool":
        if all(tool.function.name != choice.name for tool in tools):
            raise invalid_field("tool_choice.name", "`tools` has no tool of this name with an `input_schema`")
        chat.tool_choice = NamedToolChoice(function=FunctionNamed(choice.name or ""))
    elif choice.type == "any":
        if not tools:
            raise invalid_field("tool_choice", "It is only allowed together with `tools`")
        chat.tool_choice = "required"
    elif tools:
        chat.tool_choice = choice.type


def _form(request: MessagesRequest) -> ResponseFormat | None:
    form = request.output_config.format if request.output_config else None
    return ResponseFormat("json_schema", answer_schema(form)) if form else None


def _effort(request: MessagesRequest) -> Effort | None:
    config, thinking = request.output_config, request.thinking
    if thinking is not None and thinking.type == "disabled":
        return "none"
    if config is not None and config.effort is not None:
        return _EFFORTS[config.effort]
    if thinking is None:
        return None
    budget = thinking.budget_tokens
    if thinking.type == "adaptive" or budget is None:
        return "medium"
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def _misplaced(where: str, number: int, role: str) -> InvalidRequest:
    return invalid_field(
        f"{where}.content[{number}].type", f"A block of this type has no place in a turn of role `{role}`"
    )
