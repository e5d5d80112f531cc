"""A body of the Responses API -> the chat that is asked for, and the names of what has no place in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Raw

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.json_body import invalid_field, wrong_field
from services.gateway.inference.conversation import MAX_PARTS
from services.gateway.inference.responses.schemas import (
    ContentItem,
    FunctionCallItem,
    FunctionOutputItem,
    ItemHead,
    MessageItem,
    ReasoningItem,
    ResponsesRequest,
    TextFormat,
    ToolChoice,
)
from services.gateway.inference.schemas import (
    ChatMessage,
    ChatRequest,
    FunctionCall,
    FunctionDefinition,
    FunctionNamed,
    JsonSchemaFormat,
    NamedToolChoice,
    ResponseFormat,
    Tool,
    ToolCall,
)

_HEAD: Final = msgspec.json.Decoder(ItemHead)
_CONTENT: Final = msgspec.json.Decoder(ContentItem)
_MESSAGE: Final = msgspec.json.Decoder(MessageItem)
_CALL: Final = msgspec.json.Decoder(FunctionCallItem)
_OUTPUT: Final = msgspec.json.Decoder(FunctionOutputItem)
_REASONING: Final = msgspec.json.Decoder(ReasoningItem)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat, what the input alone says in it, and the names of the fields that nothing in it stands for."""

    chat: ChatRequest
    said: list[ChatMessage]
    left_out: list[str]


def to_chat(request: ResponsesRequest, before: Sequence[ChatMessage]) -> Conversation:
    """Return the chat that a body asks for; `before` is what was said in the turns before it.

    Raises:
        InvalidRequest: something cannot be said in a chat; the field is named as the caller knows it.
    """
    _refuse_what_is_not_here(request)
    said, unread = _said(request.input)
    tools, left_out = _tools(request)
    left_out += unread
    instructions = [ChatMessage(role="developer", content=request.instructions)] if request.instructions else []
    chat = ChatRequest(
        model=request.model,
        messages=[*instructions, *before, *said],
        stream=request.stream,
        temperature=request.temperature,
        top_p=request.top_p,
        max_completion_tokens=request.max_output_tokens,
        tools=[*tools] or None,
        parallel_tool_calls=request.parallel_tool_calls if tools else None,
        reasoning_effort=request.reasoning.effort if request.reasoning else None,
        verbosity=request.text.verbosity if request.text else None,
        response_format=_form(request.text.format if request.text else None),
        user=request.user,
        safety_identifier=request.safety_identifier,
        prompt_cache_key=request.prompt_cache_key,
        service_tier=request.service_tier,
    )
    _choose(chat, request, tools, left_out)
    if request.truncation == "auto":
        left_out.append("truncation=auto")
    return Conversation(chat, said, left_out)


def _refuse_what_is_not_here(request: ResponsesRequest) -> None:
    for field, given, remedy in (
        ("background", request.background, "wait for the answer, or stream it"),
        ("conversation", request.conversation, "use `previous_response_id`"),
        ("prompt", request.prompt, "send its text as `instructions`"),
    ):
        # An explicit null or false says nothing.
        if given and given != Raw(b"null"):
            raise InvalidRequest(
                ErrorReason.UNSUPPORTED_PARAMETER, f"`{field}` is not offered here: {remedy}.", param=field
            )


def _said(given: str | list[Raw]) -> tuple[list[ChatMessage], list[str]]:
    if isinstance(given, str):
        return [ChatMessage(role="user", content=given)], []
    turns = _Turns()
    for index, raw in enumerate(given):
        turns.add(raw, f"input[{index}]")
    return turns.messages, turns.left_out


class _Turns:
    """Gathers items into messages: text and calls of one answer are one message in a chat."""

    def __init__(self) -> None:
        self.messages: list[ChatMessage] = []
        self.left_out: list[str] = []
        self._parts = 0
        self._kinds: Final[dict[str, Callable[[Raw, str], None]]] = {
            "message": self._message,
            "function_call": self._call,
            "function_call_output": self._output,
            "reasoning": self._reasoning,
        }

    def add(self, raw: Raw, where: str) -> None:
        """Add one item."""
        kind = _decoded(_HEAD, raw, where).type
        add = self._kinds.get(kind)
        if add is None:
            raise invalid_field(f"{where}.type", f"Items of type `{kind[:64]}` are not taken here")
        add(raw, where)

    def _message(self, raw: Raw, where: str) -> None:
        item = _decoded(_MESSAGE, raw, where)
        content = self._content(item.content, f"{where}.content")
        message = ChatMessage(role=item.role, content=content)
        if item.role == "assistant":
            message.content = content if isinstance(content, str) else _text_of(content)
        self.messages.append(message)

    def _call(self, raw: Raw, where: str) -> None:
        item = _decoded(_CALL, raw, where)
        call = ToolCall(item.call_id, FunctionCall(item.name, item.arguments))
        if not self.messages or self.messages[-1].role != "assistant":
            self.messages.append(ChatMessage(role="assistant"))
        last = self.messages[-1]
        last.tool_calls = [*(last.tool_calls or ()), call]

    def _output(self, raw: Raw, where: str) -> None:
        item = _decoded(_OUTPUT, raw, where)
        content = self._content(item.output, f"{where}.output")
        text = content if isinstance(content, str) else _text_of(content)
        self.messages.append(ChatMessage(role="tool", content=text, tool_call_id=item.call_id))

    def _reasoning(self, raw: Raw, where: str) -> None:
        _decoded(_REASONING, raw, where)  # No provider takes back what a model thought.
        self.left_out = ["input[].reasoning"]

    def _content(self, given: str | list[Raw], where: str) -> str | list[Raw]:
        if isinstance(given, str):
            return given
        self._parts += len(given)
        if self._parts > MAX_PARTS:
            raise invalid_field("input", f"The items have more than {MAX_PARTS} content parts")
        parts = [_part(_decoded(_CONTENT, raw, f"{where}[{at}]"), f"{where}[{at}]") for at, raw in enumerate(given)]
        if all(part["type"] == "text" for part in parts):
            return "\n".join(part["text"] for part in parts)
        return [Raw(msgspec.json.encode(part)) for part in parts]


def _decoded(decoder: msgspec.json.Decoder[Any], raw: Raw, where: str) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise wrong_field(exc, where) from None


def _part(part: ContentItem, where: str) -> dict[str, Any]:
    if part.type == "input_image":
        if part.image_url is not None:
            return {"type": "image_url", "image_url": {"url": part.image_url, "detail": part.detail or "auto"}}
        return {"type": "file", "file": {"file_id": _given(part.file_id, f"{where}.image_url")}}
    if part.type == "input_file":
        if part.file_id is not None:
            return {"type": "file", "file": {"file_id": part.file_id}}
        data = _given(part.file_data, f"{where}.file_data")
        return {"type": "file", "file": {"filename": part.filename or "file", "file_data": data}}
    if part.type == "refusal":
        return {"type": "text", "text": _given(part.refusal, f"{where}.refusal")}
    return {"type": "text", "text": _given(part.text, f"{where}.text")}


def _given(value: str | None, where: str) -> str:
    if value is None:
        raise invalid_field(where, "This field is required")
    return value


def _text_of(parts: Sequence[Raw]) -> str:
    """Return the text of parts where a chat can have nothing else: in answers, and in what calls returned."""
    decoded = [msgspec.json.decode(part) for part in parts]
    return "\n".join(part["text"] for part in decoded if part["type"] == "text")


def _tools(request: ResponsesRequest) -> tuple[list[Tool], list[str]]:
    """Return the functions that may be called, and the names of tools that only OpenAI's own servers run."""
    tools: list[Tool] = []
    left_out: list[str] = []
    allowed = _allowed(request.tool_choice)
    for index, tool in enumerate(request.tools or ()):
        if tool.type != "function":
            left_out.append(f"tools[{index}]={tool.type}")
            continue
        name = _given(tool.name, f"tools[{index}].name")
        if allowed is None or name in allowed:
            function = FunctionDefinition(name, tool.description, tool.parameters, tool.strict)
            tools.append(Tool(function=function))
    return tools, left_out


def _allowed(choice: object) -> set[str | None] | None:
    if not isinstance(choice, ToolChoice) or choice.type != "allowed_tools":
        return None
    return {tool.name for tool in choice.tools or ()}


def _choose(chat: ChatRequest, request: ResponsesRequest, tools: Sequence[Tool], left_out: list[str]) -> None:
    choice = request.tool_choice
    if isinstance(choice, ToolChoice):
        if choice.type == "allowed_tools":
            chat.tool_choice = (choice.mode or "auto") if chat.tools else None
        elif choice.type == "function":
            if all(tool.function.name != choice.name for tool in tools):
                raise invalid_field("tool_choice.name", "`tools` has no function of this name")
            chat.tool_choice = NamedToolChoice(function=FunctionNamed(choice.name or ""))
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
