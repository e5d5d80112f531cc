"""Items -> the messages of a chat: text and calls of one answer are one message there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.field_origins import Origin
from services.gateway.edge.reading.json_body import decode_part, invalid_field
from services.gateway.inference.conversation import MAX_PARTS
from services.gateway.inference.responses.schemas import (
    ContentItem,
    CustomCallItem,
    FunctionCallItem,
    FunctionOutputItem,
    ItemHead,
    MessageItem,
    ReasoningItem,
)
from services.gateway.inference.tool_use import name_that_fits
from services.gateway.schemas.inference import ChatMessage, FunctionCall, ToolCall

_HEAD: Final = msgspec.json.Decoder(ItemHead)
_CONTENT: Final = msgspec.json.Decoder(ContentItem)
_MESSAGE: Final = msgspec.json.Decoder(MessageItem)
_CALL: Final = msgspec.json.Decoder(FunctionCallItem)
_CUSTOM: Final = msgspec.json.Decoder(CustomCallItem)
_OUTPUT: Final = msgspec.json.Decoder(FunctionOutputItem)
_REASONING: Final = msgspec.json.Decoder(ReasoningItem)
# What OpenAI's own servers did for a model, said in its history: nobody else can read it, and what the model made of
# it stands in the messages.
_HOSTED: Final = frozenset(
    (
        *("additional_tools", "apply_patch_call", "apply_patch_call_output", "code_interpreter_call", "compaction"),
        *("computer_call", "computer_call_output", "configuration_update", "file_search_call"),
        *("image_generation_call", "local_shell_call", "local_shell_call_output", "mcp_approval_request"),
        *("mcp_approval_response", "mcp_call", "mcp_list_tools", "program", "program_output", "shell_call"),
        *("shell_call_output", "tool_search_call", "tool_search_output", "web_search_call"),
    )
)


class Turns:
    """Gathers items into messages."""

    def __init__(self) -> None:
        self.messages: list[ChatMessage] = []
        self.origins: list[Origin] = []
        """Where each message comes from."""
        self.left_out: dict[str, None] = {}
        self._parts = 0
        self._thoughts: list[str] = []
        # Of the newest message: joined at its end, for of a thousand calls each may have been thought about.
        self._thoughts_told: list[str] = []
        # A chat's results of calls are text, and stand together: what else they hold follows them.
        self._shown: list[tuple[list[Raw], str]] = []
        self._kinds: Final[dict[str, Callable[[Raw, str], None]]] = {
            "message": self._message,
            "function_call": self._call,
            "function_call_output": self._output,
            "custom_tool_call": self._custom_call,
            "custom_tool_call_output": self._output,
            "reasoning": self._reasoning,
        }

    def add(self, raw: Raw, where: str) -> None:
        """Add one item.

        Raises:
            InvalidRequest: it is not one, or of a type that is not known.
        """
        kind = decode_part(_HEAD, raw, where).kind
        if not kind.endswith("_output"):
            self.close()
        if kind in _HOSTED:
            self.left_out[f"input[].{kind}"] = None
            return
        add = self._kinds.get(kind)
        if add is None:
            raise invalid_field(f"{where}.type", f"Items of type `{kind[:64]}` are not taken here")
        add(raw, where)

    def end(self) -> None:
        """Say that there are no more items."""
        self.close()
        self._tell_thoughts()

    def close(self) -> None:
        """Add what waits for the end of a row of results: their pictures."""
        for parts, where in self._shown:
            self._say(ChatMessage(role="user", content=parts), Origin(where, body_field="output"))
        self._shown = []

    def _say(self, message: ChatMessage, origin: Origin) -> None:
        self._tell_thoughts()
        self.messages.append(message)
        self.origins.append(origin)
        self._think()

    def _think(self) -> None:
        """What was thought before the newest message is an answer's, or nobody's."""
        if self.messages[-1].role == "assistant":
            self._thoughts_told += self._thoughts
        self._thoughts = []

    def _tell_thoughts(self) -> None:
        if thoughts := "".join(self._thoughts_told):
            self.messages[-1].reasoning_content = thoughts
        self._thoughts_told = []

    def _message(self, raw: Raw, where: str) -> None:
        item = decode_part(_MESSAGE, raw, where)
        content = self._content(item.content, f"{where}.content")
        if item.role == "assistant" and not isinstance(content, str):
            content = _text_of(content)
        self._say(ChatMessage(role=item.role, content=content), Origin(where))

    def _call(self, raw: Raw, where: str) -> None:
        item = decode_part(_CALL, raw, where)
        self._called(
            ToolCall(item.call_id, FunctionCall(name_in_chat(item.name, item.namespace), item.arguments)), where
        )

    def _custom_call(self, raw: Raw, where: str) -> None:
        item = decode_part(_CUSTOM, raw, where)
        arguments = msgspec.json.encode({"input": item.input}).decode()
        self._called(ToolCall(item.call_id, FunctionCall(name_that_fits(item.name), arguments)), where)

    def _called(self, call: ToolCall, where: str) -> None:
        if not self.messages or self.messages[-1].role != "assistant":
            self._say(ChatMessage(role="assistant"), Origin(where))
        self._think()
        last = self.messages[-1]
        last.tool_calls = [*(last.tool_calls or ()), call]
        self.origins[-1].calls.append(where)

    def _output(self, raw: Raw, where: str) -> None:
        item = decode_part(_OUTPUT, raw, where)
        content = self._content(item.output, f"{where}.output")
        if not isinstance(content, str):
            shown = [part for part in content if not _is_text(part)]
            self._shown.append((shown, where))
            content = _text_of(content)
        self._say(
            ChatMessage(role="tool", content=content, tool_call_id=item.call_id), Origin(where, body_field="output")
        )

    def _reasoning(self, raw: Raw, where: str) -> None:
        """Keep what was thought for the answer that follows it; what is encrypted is another server's."""
        item = decode_part(_REASONING, raw, where)
        self._thoughts += [thought.text for thought in item.content or item.summary]

    def _content(self, given: str | list[Raw], where: str) -> str | list[Raw]:
        if isinstance(given, str):
            return given
        self._parts += len(given)
        if self._parts > MAX_PARTS:
            raise invalid_field("input", f"The items have more than {MAX_PARTS} content parts")
        parts = [_part(decode_part(_CONTENT, raw, f"{where}[{at}]"), f"{where}[{at}]") for at, raw in enumerate(given)]
        if all(part["type"] == "text" for part in parts):
            return "\n".join(part["text"] for part in parts)
        return [Raw(msgspec.json.encode(part)) for part in parts]


def name_in_chat(name: str, namespace: str | None) -> str:
    """Return what a function, maybe of a namespace, is called in a chat: both names, shortened if they must be."""
    return name_that_fits(f"{namespace}__{name}" if namespace else name)


def not_offered(field: str, remedy: str) -> InvalidRequest:
    """Return the refusal of a field that has no counterpart here."""
    return InvalidRequest(ErrorReason.UNSUPPORTED_PARAMETER, f"`{field}` is not offered here: {remedy}.", param=field)


def given(value: str | None, where: str) -> str:
    """Return a text that must be there.

    Raises:
        InvalidRequest: it is not.
    """
    if value is None:
        raise invalid_field(where, "This field is required")
    return value


def _part(part: ContentItem, where: str) -> dict[str, Any]:
    if part.type == "input_image":
        if part.image_url is not None:
            return {"type": "image_url", "image_url": {"url": part.image_url, "detail": part.detail or "auto"}}
        return {"type": "file", "file": {"file_id": given(part.file_id, f"{where}.image_url")}}
    if part.type == "input_file":
        if part.file_id is not None:
            return {"type": "file", "file": {"file_id": part.file_id}}
        if part.file_url is not None and part.file_data is None:
            raise not_offered(f"{where}.file_url", "send its content as `file_data`")
        data = given(part.file_data, f"{where}.file_data")
        return {"type": "file", "file": {"filename": part.filename or "file", "file_data": data}}
    if part.type == "refusal":
        return {"type": "text", "text": given(part.refusal, f"{where}.refusal")}
    return {"type": "text", "text": given(part.text, f"{where}.text")}


def _is_text(part: Raw) -> bool:
    return bool(msgspec.json.decode(part)["type"] == "text")


def _text_of(parts: Sequence[Raw]) -> str:
    """Return the text of parts where a chat can have nothing else: in answers, and in what calls returned."""
    found = [msgspec.json.decode(part) for part in parts]
    return "\n".join(part["text"] for part in found if part["type"] == "text")
