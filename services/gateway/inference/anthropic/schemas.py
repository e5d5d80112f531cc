"""Wire models of POST /v1/messages: what a body must look like, decoded and checked by msgspec in one pass.

Anthropic's API reference, version 2023-06-01. Fields that are not here are named in the answer's headers.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Raw, Struct

from services.gateway.metering.storable import MAX_TAG_VALUE
from services.gateway.schemas.inference import (
    MAX_MESSAGES,
    Effort,
    JsonSchemaFormat,
    LongFunctionName,
    ModelId,
    Probability,
    ShortText,
    TokenCount,
)
from services.gateway.schemas.steering import ModelNames, ProviderPreferences, Way

# MCP servers bring many; Anthropic names no bound, and takes hundreds.
MAX_TOOLS: Final = 1024
# Each is looked for in every piece of an answer.
StopSequences = Annotated[list[Annotated[str, Meta(min_length=1, max_length=1024)]], Meta(max_length=64)]
CallId = Annotated[str, Meta(min_length=1, max_length=1024)]


class Base64Source(Struct, tag="base64", tag_field="type", gc=False):
    """The bytes of an image or a document."""

    media_type: Annotated[str, Meta(pattern=r"^[a-z]+/[a-z0-9.+-]{1,64}$")]
    data: Annotated[str, Meta(min_length=1)]


class UrlSource(Struct, tag="url", tag_field="type", gc=False):
    """Where an image or a document is."""

    url: Annotated[str, Meta(min_length=1, max_length=8192)]


class TextSource(Struct, tag="text", tag_field="type", gc=False):
    """The text of a document."""

    data: str


class ContentSource(Struct, tag="content", tag_field="type", gc=False):
    """A document that was taken apart already."""

    content: str | list[TextBlock | ImageBlock]


class FileSource(Struct, tag="file", tag_field="type", gc=False):
    """A file that was uploaded before."""

    file_id: Annotated[str, Meta(min_length=1, max_length=256)]


class TextBlock(Struct, tag="text", tag_field="type", gc=False):
    """Text."""

    text: str


class ImageBlock(Struct, tag="image", tag_field="type", gc=False):
    """An image."""

    source: Base64Source | UrlSource | FileSource


class DocumentBlock(Struct, tag="document", tag_field="type", gc=False):
    """A document to be read."""

    source: Base64Source | UrlSource | TextSource | ContentSource | FileSource
    title: str | None = None
    context: str | None = None


class SearchResultBlock(Struct, tag="search_result", tag_field="type", gc=False):
    """What the caller's own search has found."""

    source: str
    title: str
    content: list[TextBlock]


class ToolReferenceBlock(Struct, tag="tool_reference", tag_field="type", gc=False):
    """A tool that a search for tools has found: it stands among the tools too."""

    tool_name: str


class ToolUseBlock(Struct, tag="tool_use", tag_field="type", gc=False):
    """A call that the model made."""

    id: CallId
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    input: dict[str, Any]


class ToolResultBlock(Struct, tag="tool_result", tag_field="type", gc=False):
    """What a call returned."""

    tool_use_id: CallId
    content: str | list[ShownBlock | ToolReferenceBlock] | None = None
    is_error: bool | None = None


class ThinkingBlock(Struct, tag="thinking", tag_field="type", gc=False):
    """What the model thought."""

    thinking: str
    signature: str | None = None


class RedactedThinkingBlock(Struct, tag="redacted_thinking", tag_field="type", gc=False):
    """What another model thought, unreadable: it is left out."""

    data: str


ShownBlock = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
Block = ShownBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock


class BlockHead(Struct, gc=False):
    """What kind of block it is."""

    type: str


class InputMessage(Struct, gc=False):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Raw]


class ToolDefinition(Struct, gc=False):
    """A tool the model may call; without `input_schema` it is one of Anthropic's own, of the kind in `type`."""

    name: LongFunctionName | None = None
    type: ShortText | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class MessagesToolChoice(Struct, gc=False):
    """Whether and which tools are called."""

    type: Literal["auto", "any", "tool", "none"]
    name: LongFunctionName | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct, gc=False):
    """How much is thought before the answer."""

    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    budget_tokens: TokenCount | None = None


class Metadata(Struct, gc=False):
    """Whom the request is for."""

    user_id: Annotated[str, Meta(max_length=MAX_TAG_VALUE)] | None = None


class OutputFormat(Struct, gc=False):
    """The schema an answer must follow."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Struct, gc=False):
    """How the answer is made, and its form."""

    effort: Effort | None = None
    format: OutputFormat | None = None


class MessagesRequest(Struct, gc=False):
    """Body of POST /v1/messages, and of /v1/messages/count_tokens, which needs no `max_tokens`."""

    model: ModelId
    messages: Annotated[list[InputMessage], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: TokenCount | None = None
    system: str | list[TextBlock] | None = None
    stop_sequences: StopSequences | None = None
    stream: bool | None = None
    temperature: Probability | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    tools: Annotated[list[ToolDefinition], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: MessagesToolChoice | None = None
    thinking: Thinking | None = None
    metadata: Metadata | None = None
    output_config: OutputConfig | None = None
    service_tier: ShortText | None = None
    thread: Any = None
    models: ModelNames | None = None
    provider: ProviderPreferences | None = None
    route: Way | None = None


def answer_schema(form: OutputFormat) -> JsonSchemaFormat:
    """Return the schema as chats have it: there it needs a name."""
    return JsonSchemaFormat("answer", form.schema, strict=True)
