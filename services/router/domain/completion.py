"""Requests and answers in OpenAI's terms; no provider's dialect, no wire format.

Values are `msgspec.Struct`s: there are dozens for each request, and a frozen dataclass takes six times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, StrEnum
from typing import Final

from msgspec import Struct, field


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(Enum):
    """Why an answer ended. A plain Enum: members are compared by identity on the hot path."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


class ToolCall(Struct):
    """One call the model wants made; `arguments` is JSON text, in a stream maybe a piece of it."""

    id: str
    name: str
    arguments: str
    index: int = 0


class ContentPart(Struct, frozen=True):
    """A part of a message; parts other than text keep the caller's JSON."""

    type: str
    text: str = ""
    json: bytes = b""


class Message(Struct, frozen=True):
    """One turn of the conversation."""

    role: Role
    content: str = ""
    parts: Sequence[ContentPart] = ()
    name: str = ""
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str = ""
    reasoning_content: str = ""


class Tool(Struct, frozen=True):
    """A function the model may call; `parameters_json` is its JSON Schema, `other_json` what some provider knows."""

    name: str
    description: str = ""
    parameters_json: bytes = b""
    strict: bool | None = None
    other_json: Mapping[str, bytes] = field(default_factory=dict)


class ToolChoice(Struct, frozen=True):
    """`none`, `auto`, `required`, or `function` with its name."""

    mode: str
    function_name: str = ""


class ResponseFormat(Struct, frozen=True):
    """`text`, `json_object`, or `json_schema` with its schema."""

    type: str
    name: str = ""
    schema_json: bytes = b""
    strict: bool | None = None


class Held(Struct, frozen=True):
    """The prices that the held amount covers: `models` by a catalogue version; empty: unknown."""

    version: str = ""
    models: frozenset[str] = frozenset()

    def covered(self, version: str) -> frozenset[str]:
        """Return the ids that may answer by a version of the catalogue; empty: all of its own."""
        return frozenset() if version == self.version else self.models


NOT_KNOWN: Final = Held()


class Prompt(Struct, frozen=True):
    """One chat completion as it was asked for; None and empty mean: not given.

    `allowed_models` are the ids or aliases that the caller's credential is limited to; empty: no limit.
    With `require_parameters`, what would be left out is an error. `tenant` is whose request it is: what is kept between
    requests is told apart by it, and slots of a provider are shared by it; `tier` says how large its share is.
    `token_bound` is the most tokens that its text can be, `script` the one most of it is in: what is learned from.
    `schema_bound` is the most tokens that its schemas may be when they are written out; 0: not known.
    `candidates` are the ids of the models that may answer, first choice first; empty: the catalogue says. `sort` is by
    what they are put in order first: "latency" or "throughput", as seen lately; empty: by nothing. `alone`: only the
    first of them is asked. `held`: what the hold covers. `deferral` names a prompt that nobody waits for, whoever asks
    it again. `stands_for`: the model whose stand-ins in the catalogue the candidates are, to be asked in its order.
    """

    model: str
    messages: Sequence[Message]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    stop: Sequence[str] = ()
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str = ""
    other_json: Mapping[str, bytes] = field(default_factory=dict)
    token_bound: int = 0
    script: str = ""
    schema_bound: int = 0
    allowed_models: frozenset[str] = frozenset()
    require_parameters: bool = False
    tenant: str = ""
    tier: str = ""
    candidates: Sequence[str] = ()
    sort: str = ""
    alone: bool = False
    held: Held = NOT_KNOWN
    deferral: str = ""
    stands_for: str = ""


class Usage(Struct):
    """Tokens; prompt includes cached, completion includes reasoning.

    `tokenized`: the answer did not say them, the provider's tokenizer counted.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    tokenized: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.tokenized or other.tokenized,
        )


class Delta(Struct):
    """A piece of one choice."""

    choice_index: int = 0
    content: str = ""
    reasoning_content: str = ""
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: FinishReason | None = None

    @property
    def says_something(self) -> bool:
        """Whether the caller would see it: from then on nothing may be retried."""
        return bool(self.content or self.reasoning_content or self.tool_calls or self.finish_reason)


class Batch(Struct):
    """The result of one network read: deltas, and the usage so far if it was reported."""

    deltas: list[Delta]
    usage: Usage | None = None


class Route(Struct, frozen=True):
    """The model and provider that answer, known before the first token.

    `queued_ms` is how long the request waited for a provider's slot; `stands_in`: another model was tried before it.
    """

    provider: str
    model: str
    resolved_model: str
    dropped_params: Sequence[str] = ()
    queued_ms: int = 0
    stands_in: bool = False


class Attempt(Struct, frozen=True):
    """One attempt at one model; `reason` is empty if it answered."""

    provider: str
    model: str
    reason: str
    latency_ms: int
    provider_request_id: str = ""


class End(Struct, frozen=True):
    """The end of an answer; without usage, the provider reported none."""

    usage: Usage | None
    attempts: Sequence[Attempt]
    system_fingerprint: str = ""


class Choice(Struct):
    """One whole answer; content is None when there is nothing but tool calls."""

    index: int
    content: str | None
    finish_reason: FinishReason
    reasoning_content: str = ""
    tool_calls: Sequence[ToolCall] = ()


class Answer(Struct, frozen=True):
    """A provider's whole answer."""

    choices: Sequence[Choice]
    usage: Usage | None


class Completion(Struct, frozen=True):
    """A whole chat completion with where it came from."""

    route: Route
    choices: Sequence[Choice]
    end: End


class StreamPart(Struct, frozen=True):
    """One message of a streamed completion: the route comes with the first one, the end with the last."""

    deltas: Sequence[Delta] = ()
    route: Route | None = None
    progress: Usage | None = None
    end: End | None = None


class EmbeddingInput(Struct, frozen=True):
    """Texts to be embedded."""

    model: str
    texts: Sequence[str]
    dimensions: int | None = None
    other_json: Mapping[str, bytes] = field(default_factory=dict)
    allowed_models: frozenset[str] = frozenset()
    require_parameters: bool = False
    tenant: str = ""
    tier: str = ""
    held: Held = NOT_KNOWN


class Vectors(Struct, frozen=True):
    """A provider's embeddings of the texts, in their order."""

    values: Sequence[Sequence[float]]
    usage: Usage | None


class Embeddings(Struct, frozen=True):
    """Embeddings, and the route they came by."""

    route: Route
    vectors: Sequence[Sequence[float]]
    end: End
