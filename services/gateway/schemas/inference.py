"""Wire models of the hot routes: what a body must look like, decoded and checked by msgspec in one pass.

Unknown fields are ignored (clients are newer than we are) and named in the answer's headers. Known parameters that
only some provider understands are typed too, so that a wrong type is refused here, and travel on as `other_json`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from services.gateway.schemas.steering import ModelNames, ProviderPreferences, Way

MAX_MESSAGES: Final = 1000
MAX_TOKENS: Final = 10_000_000

ModelId = Annotated[
    str, Meta(min_length=1, max_length=256, description="A model id: `yandexgpt:latest`, `gigachat-pro`.")
]
TokenCount = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Choices = Annotated[int, Meta(ge=1, le=128)]
StopList = Annotated[list[Annotated[str, Meta(min_length=1, max_length=1024)]], Meta(max_length=4)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
TokenNumber = Annotated[str, Meta(max_length=64)]
FunctionName = Annotated[str, Meta(pattern="^[a-zA-Z0-9_.-]{1,64}$")]
# As Anthropic's API and the Responses API have it.
LongFunctionName = Annotated[str, Meta(pattern="^[a-zA-Z0-9_.-]{1,128}$")]
ShortText = Annotated[str, Meta(max_length=1024)]
Effort = Annotated[str, Meta(pattern="^[a-z]{1,32}$", description="none, minimal, low, medium, high, xhigh")]


class FunctionCall(Struct, gc=False):
    """A function the model wants called; `arguments` is JSON text."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    arguments: str = ""


class CustomCall(Struct, gc=False):
    """A custom tool the model wanted called; `input` is any text."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str = ""


class ToolCall(Struct, gc=False):
    """One call in an assistant message."""

    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    function: FunctionCall = msgspec.field(default_factory=lambda: FunctionCall(""))
    custom: CustomCall | None = None
    type: Literal["function", "custom"] = "function"


class ContentPart(Struct, gc=False):
    """One part of a message that is a list."""

    type: Literal["text", "image_url", "input_audio", "file", "refusal"]
    text: str | None = None
    image_url: dict[str, Any] | None = None
    input_audio: dict[str, Any] | None = None
    file: dict[str, Any] | None = None
    refusal: str | None = None


class ChatMessage(Struct, gc=False):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Raw] | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: Annotated[str, Meta(max_length=1024)] | None = None
    function_call: FunctionCall | None = None
    reasoning_content: str | None = None
    refusal: str | None = None


class FunctionDefinition(Struct, gc=False):
    """What a function does and takes; examples of calls and the schema of the result are GigaChat's own."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    few_shot_examples: list[dict[str, Any]] | None = None
    return_parameters: dict[str, Any] | None = None


class Tool(Struct, gc=False, tag_field="type", tag="function"):
    """A function the model may call."""

    function: FunctionDefinition


class CustomTool(Struct, gc=False, tag_field="type", tag="custom"):
    """A tool that takes any text: no provider has it, so it is left out and named."""

    custom: dict[str, Any]


class FunctionNamed(Struct, gc=False):
    """A function by its name."""

    name: FunctionName


class NamedToolChoice(Struct, gc=False, tag_field="type", tag="function"):
    """Force one function."""

    function: FunctionNamed


class CustomNamed(Struct, gc=False):
    """A custom tool by its name."""

    name: ShortText


class CustomToolChoice(Struct, gc=False, tag_field="type", tag="custom"):
    """Force one custom tool."""

    custom: CustomNamed


class AllowedTools(Struct, gc=False):
    """Some of the tools: the model may (`auto`) or must (`required`) call one of them, and no other."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedToolChoice | CustomToolChoice], Meta(min_length=1, max_length=128)]


class AllowedToolsChoice(Struct, gc=False, tag_field="type", tag="allowed_tools"):
    """Choose among some of the tools."""

    allowed_tools: AllowedTools


class JsonSchemaFormat(Struct, gc=False):
    """The schema an answer must follow."""

    name: FunctionName
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct, gc=False):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class StreamOptions(Struct, gc=False):
    """What a stream also says."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(Struct, gc=False):
    """Body of POST /v1/chat/completions. `prompt` may stand for `messages` (release 1.0), `models` for `model`."""

    model: ModelId = ""
    messages: Annotated[list[ChatMessage], Meta(max_length=MAX_MESSAGES)] | None = None
    prompt: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    max_tokens: TokenCount | None = None
    max_completion_tokens: TokenCount | None = None
    n: Choices | None = None
    stop: str | StopList | None = None
    tools: Annotated[list[Tool | CustomTool], Meta(max_length=128)] | None = None
    tool_choice: (
        Literal["none", "auto", "required"] | NamedToolChoice | AllowedToolsChoice | CustomToolChoice | None
    ) = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    functions: Annotated[list[FunctionDefinition], Meta(max_length=128)] | None = None
    function_call: Literal["none", "auto"] | FunctionNamed | None = None
    audio: dict[str, Any] | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenNumber, Bias] | None = None
    logprobs: bool | None = None
    metadata: dict[str, str] | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    moderation: dict[str, Any] | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: Penalty | None = None
    prompt_cache_key: ShortText | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: ShortText | None = None
    safety_identifier: ShortText | None = None
    seed: Int64 | None = None
    service_tier: ShortText | None = None
    store: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    user: ShortText | None = None
    models: ModelNames | None = None
    provider: ProviderPreferences | None = None
    route: Way | None = None
    # Those of GigaChat, and of servers of open models; who does not know them names them as dropped.
    flags: Annotated[list[ShortText], Meta(max_length=64)] | None = None
    function_ranker: dict[str, Any] | None = None
    profanity_check: bool | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    update_interval: Annotated[float, Meta(ge=0, le=3600)] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: dict[str, Any] | None = None

    @property
    def functions_offered(self) -> list[Tool]:
        """Return the tools that are functions, in their order."""
        return [tool for tool in self.tools or () if isinstance(tool, Tool)]


OTHER_CHAT_PARAMETERS: Final = (
    "audio",
    "flags",
    "frequency_penalty",
    "function_ranker",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "presence_penalty",
    "profanity_check",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "repetition_penalty",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "top_k",
    "top_logprobs",
    "update_interval",
    "user",
    "verbosity",
    "web_search_options",
)
_other_values: Final = attrgetter(*OTHER_CHAT_PARAMETERS)


class CompletionRequest(Struct, gc=False):
    """Body of POST /v1/completions, the older form."""

    prompt: str | Annotated[list[Raw], Meta(min_length=1, max_length=128)]
    model: ModelId = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    max_tokens: TokenCount | None = None
    n: Choices | None = None
    stop: str | StopList | None = None
    best_of: Choices | None = None
    echo: bool | None = None
    suffix: str | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenNumber, Bias] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | bool | None = None
    presence_penalty: Penalty | None = None
    models: ModelNames | None = None
    provider: ProviderPreferences | None = None
    route: Way | None = None
    seed: Int64 | None = None
    user: ShortText | None = None


class EmbeddingRequest(Struct, gc=False):
    """Body of POST /v1/embeddings: a text, texts, or arrays of tokens of cl100k_base."""

    model: ModelId
    input: str | Annotated[list[Raw], Meta(min_length=1, max_length=8192)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    provider: ProviderPreferences | None = None
    user: ShortText | None = None


def other_json(request: ChatRequest) -> dict[str, bytes]:
    """Return the rare parameters that were given, as JSON by name."""
    values = zip(OTHER_CHAT_PARAMETERS, _other_values(request), strict=True)
    return {name: msgspec.json.encode(value) for name, value in values if value is not None}
