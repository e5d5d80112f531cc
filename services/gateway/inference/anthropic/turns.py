"""Turns of the Messages API -> the messages of a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.field_origins import Origin
from services.gateway.edge.reading.json_body import decode_part, invalid_field
from services.gateway.inference.anthropic.schemas import (
    Base64Source,
    Block,
    BlockHead,
    ContentSource,
    DocumentBlock,
    ImageBlock,
    InputMessage,
    RedactedThinkingBlock,
    SearchResultBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from services.gateway.inference.conversation import MAX_PARTS, answer_turn
from services.gateway.inference.tool_use import name_that_fits
from services.gateway.schemas.inference import ChatMessage, FunctionCall, ToolCall

_HEAD: Final = msgspec.json.Decoder(BlockHead)
_BLOCK: Final = msgspec.json.Decoder(Block)
# What Anthropic's own servers did, said in the history of a conversation: nobody else can read it, and what the model
# made of it stands in its texts.
_HOSTED: Final = frozenset(
    (
        *("advisor_tool_result", "bash_code_execution_tool_result", "code_execution_tool_result", "compaction"),
        *("container_upload", "fallback", "mcp_tool_listing", "mcp_tool_result", "mcp_tool_use", "server_tool_use"),
        *("text_editor_code_execution_tool_result", "tool_search_tool_result", "web_fetch_tool_result"),
        "web_search_tool_result",
    )
)
_Part = dict[str, Any]
_Numbered = list[tuple[int, Block]]


class Turns:
    """Gathers turns into messages."""

    def __init__(self) -> None:
        self.messages: list[ChatMessage] = []
        self.origins: list[Origin] = []
        """Where each message comes from."""
        self.left_out: dict[str, None] = {}
        self._blocks = 0

    def add(self, message: InputMessage, where: str) -> None:
        """Add one turn.

        Raises:
            InvalidRequest: a block is none, or has no place in it.
        """
        if isinstance(message.content, str):
            self._say(ChatMessage(role=message.role, content=message.content), Origin(where))
            return
        # An answer of ours without a word is such a list, and its clients send it back as it is.
        if not message.content and message.role != "assistant":
            raise invalid_field(f"{where}.content", "The list of blocks is empty")
        blocks = self._read(message.content, where)
        if message.role == "assistant":
            self._answered(blocks, where)
        else:
            self._asked(message, blocks, where)

    def _say(self, message: ChatMessage, origin: Origin) -> None:
        self.messages.append(message)
        self.origins.append(origin)

    def _read(self, content: Sequence[Raw], where: str) -> _Numbered:
        self._blocks += len(content)
        if self._blocks > MAX_PARTS:
            raise invalid_field("messages", f"The messages have more than {MAX_PARTS} content blocks")
        blocks: _Numbered = []
        for number, raw in enumerate(content):
            at = f"{where}.content[{number}]"
            kind = decode_part(_HEAD, raw, at).type
            if kind in _HOSTED:
                self.left_out[f"messages[].content[].{kind}"] = None
            else:
                blocks.append((number, decode_part(_BLOCK, raw, at)))
        return blocks

    def _answered(self, blocks: _Numbered, where: str) -> None:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[ToolCall] = []
        origin = Origin(where)
        for number, block in blocks:
            match block:
                case TextBlock():
                    texts.append(block.text)
                case ToolUseBlock():
                    arguments = msgspec.json.encode(block.input).decode()
                    calls.append(ToolCall(block.id, FunctionCall(name_that_fits(block.name), arguments)))
                    origin.calls.append(f"{where}.content[{number}]")
                case ThinkingBlock():
                    thoughts.append(block.thinking)
                case RedactedThinkingBlock():
                    pass  # Unreadable everywhere else.
                case _:
                    raise _misplaced(where, number, "assistant")
        self._say(answer_turn("".join(texts), calls, "".join(thoughts)), origin)

    def _asked(self, message: InputMessage, blocks: _Numbered, where: str) -> None:
        """Results of calls stand first, each a message of its own: so chats have them."""
        parts: list[_Part] = []
        origin = Origin(where)
        for number, block in blocks:
            at = f"{where}.content[{number}]"
            if isinstance(block, ToolResultBlock):
                shown = self._result(block, at)
            elif isinstance(block, TextBlock | ImageBlock | DocumentBlock | SearchResultBlock):
                shown = _shown(block, at)
            else:
                raise _misplaced(where, number, message.role)
            parts += shown
            origin.parts.extend(number for _ in shown)
        if parts:
            self._say(ChatMessage(role=message.role, content=_content(parts)), origin)

    def _result(self, block: ToolResultBlock, where: str) -> list[_Part]:
        """Add what a call returned; return what of it is no text: that follows the results."""
        parts = [_text(block.content)] if isinstance(block.content, str) else []
        for each in () if isinstance(block.content, str) else block.content or ():
            if isinstance(each, ToolReferenceBlock):
                self.left_out["messages[].content[].tool_reference"] = None
            else:
                parts += _shown(each, where)
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        # Chats know no failed call; the model can still be told.
        text = f"Error: {text}" if block.is_error else text
        self._say(ChatMessage(role="tool", content=text, tool_call_id=block.tool_use_id), Origin(where))
        return [part for part in parts if part["type"] != "text"]


def _content(parts: list[_Part]) -> str | list[Raw]:
    """Plain text where there is only text: what every model takes."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return [Raw(msgspec.json.encode(part)) for part in parts]


def _shown(block: TextBlock | ImageBlock | DocumentBlock | SearchResultBlock, where: str) -> list[_Part]:
    """Return the parts of a chat that show a block."""
    match block:
        case TextBlock():
            return [_text(block.text)]
        case ImageBlock():
            return [_image(block)]
        case SearchResultBlock():
            return [_text("\n".join((block.title, block.source, *(each.text for each in block.content))))]
        case DocumentBlock():
            return _document(block, where)


def _text(text: str) -> _Part:
    return {"type": "text", "text": text}


def _image(block: ImageBlock) -> _Part:
    source = block.source
    if isinstance(source, Base64Source):
        return {"type": "image_url", "image_url": {"url": f"data:{source.media_type};base64,{source.data}"}}
    if isinstance(source, UrlSource):
        return {"type": "image_url", "image_url": {"url": source.url}}
    return {"type": "file", "file": {"file_id": source.file_id}}


def _document(block: DocumentBlock, where: str) -> list[_Part]:
    source = block.source
    if isinstance(source, TextSource):
        return [_titled(block, source.data)]
    if isinstance(source, ContentSource):
        inner = [TextBlock(source.content)] if isinstance(source.content, str) else source.content
        texts = [each.text for each in inner if isinstance(each, TextBlock)]
        return [_titled(block, *texts), *(_image(each) for each in inner if isinstance(each, ImageBlock))]
    if isinstance(source, Base64Source):
        if source.media_type != "application/pdf":
            raise invalid_field(
                f"{where}.source.media_type", "A document is `application/pdf`, or of source type `text`"
            )
        data = f"data:{source.media_type};base64,{source.data}"
        return [{"type": "file", "file": {"filename": block.title or "document.pdf", "file_data": data}}]
    if isinstance(source, UrlSource):
        text = "A document's address is not offered here: send its content as a source of type `base64`."
        raise InvalidRequest(ErrorReason.UNSUPPORTED_PARAMETER, text, param=f"{where}.source.url")
    return [{"type": "file", "file": {"file_id": source.file_id}}]


def _titled(block: DocumentBlock, *texts: str) -> _Part:
    return _text("\n".join(text for text in (block.title, block.context, *texts) if text))


def _misplaced(where: str, number: int, role: str) -> InvalidRequest:
    return invalid_field(
        f"{where}.content[{number}].type", f"A block of this type has no place in a turn of role `{role}`"
    )
