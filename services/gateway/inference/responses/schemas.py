"""Wire models of POST /v1/responses: what a body must look like, decoded and checked by msgspec.

OpenAI's API reference. Fields that are not here are named in the answer's headers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from services.gateway.schemas.inference import (
    MAX_MESSAGES,
    Effort,
    FunctionName,
    LongFunctionName,
    ModelId,
    Probability,
    ShortText,
    Temperature,
    TokenCount,
)
from services.gateway.schemas.steering import ModelNames, ProviderPreferences, Way

CallId = Annotated[str, Meta(min_length=1, max_length=1024)]


class ItemHead(Struct, gc=False):
    """What kind of item it is: without a type it is a message, or, if it has only an id, a reference."""

    type: str | None = None
    id: str | None = None
    role: str | None = None

    @property
    def kind(self) -> str:
        """Return the type that is meant."""
        return self.type or ("item_reference" if self.id and self.role is None else "message")


class MessageItem(Struct, gc=False):
    """One message."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Raw]


class ContentItem(Struct, gc=False):
    """One part of a message."""

    type: Literal["input_text", "output_text", "text", "input_image", "input_file", "refusal"]
    text: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    refusal: str | None = None


class FunctionCallItem(Struct, gc=False):
    """A call that the model made."""

    call_id: CallId
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    arguments: str
    namespace: Annotated[str, Meta(max_length=256)] | None = None


class FunctionOutputItem(Struct, gc=False):
    """What a call returned."""

    call_id: CallId
    output: str | list[Raw]


class CustomCallItem(Struct, gc=False):
    """A call of a custom tool that the model made: its input is any text."""

    call_id: CallId
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str


class ThoughtText(Struct, gc=False):
    """A piece of what was thought."""

    text: str = ""


class ReasoningItem(Struct, gc=False):
    """What the model thought; what is encrypted is another server's and is left out."""

    summary: list[ThoughtText] = []
    content: list[ThoughtText] | None = None


class ToolDefinition(Struct, gc=False):
    """A function the model may call, some of them in a namespace, or, by another type, a tool of OpenAI's own."""

    type: ShortText
    name: LongFunctionName | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    tools: list[ToolDefinition] | None = None


class NamedTool(Struct, gc=False):
    """A tool by its name."""

    type: ShortText
    name: LongFunctionName | None = None


class ResponsesToolChoice(Struct, gc=False):
    """Force one function, or allow only some."""

    type: ShortText
    name: LongFunctionName | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[NamedTool] | None = None


class TextFormat(Struct, gc=False):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    name: FunctionName | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class TextOptions(Struct, gc=False):
    """Form and length of the answer."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Struct, gc=False):
    """How much is thought."""

    effort: Effort | None = None
    summary: ShortText | None = None


class ResponsesRequest(Struct, gc=False):
    """Body of POST /v1/responses."""

    model: ModelId
    input: str | Annotated[list[Raw], Meta(min_length=1, max_length=MAX_MESSAGES)]
    instructions: str | None = None
    max_output_tokens: TokenCount | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    tools: Annotated[list[Raw], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ResponsesToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: Annotated[str, Meta(max_length=256)] | None = None
    metadata: Annotated[dict[str, str], Meta(max_length=16)] | None = None
    user: ShortText | None = None
    safety_identifier: ShortText | None = None
    prompt_cache_key: ShortText | None = None
    service_tier: ShortText | None = None
    truncation: Literal["auto", "disabled"] | None = None
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None
    models: ModelNames | None = None
    provider: ProviderPreferences | None = None
    route: Way | None = None

    @property
    def is_kept(self) -> bool:
        """Tell whether the answer is to be kept for a next turn: unless the caller says no, as OpenAI does."""
        return self.store is not False
