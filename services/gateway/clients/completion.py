"""What the router says, as values: the answer, its route, its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from services.gateway.metering.usage_record import Attempt, TokenUsage

# By razvilka.router.v1.FinishReason; the names are OpenAI's.
FINISH_REASONS: Final = {0: "", 1: "stop", 2: "length", 3: "tool_calls", 4: "content_filter"}
# What only a later router knows: the answer ended, and clients know no other word for that.
ENDED: Final = "stop"


class Route(Struct, frozen=True, gc=False):
    """What answers, known before the first token."""

    provider: str = ""
    model: str = ""
    resolved_model: str = ""
    dropped_params: tuple[str, ...] = ()
    queued_ms: int = 0
    stands_in: bool = False


class ToolCallPart(Struct, gc=False):
    """A tool call, or a piece of one."""

    index: int
    id: str
    name: str
    arguments: str


class Delta(Struct, gc=False):
    """A piece of one choice."""

    index: int
    content: str
    reasoning: str
    tool_calls: tuple[ToolCallPart, ...]
    finish_reason: str


class Choice(Struct, gc=False):
    """One whole choice."""

    index: int
    content: str | None
    reasoning: str
    tool_calls: tuple[ToolCallPart, ...]
    finish_reason: str


class End(Struct, gc=False):
    """How the answer ended. `usage` is None when the router did not say."""

    usage: TokenUsage | None = None
    attempts: tuple[Attempt, ...] = ()
    system_fingerprint: str = ""


class Completion(Struct, gc=False):
    """A whole answer."""

    route: Route
    choices: tuple[Choice, ...]
    end: End


class StreamPart(Struct, gc=False):
    """One message of a stream: any of its parts may be absent."""

    deltas: tuple[Delta, ...]
    route: Route | None = None
    progress: TokenUsage | None = None
    end: End | None = None


def merged(parts: Sequence[StreamPart]) -> StreamPart:
    """Return parts that follow each other as one: their deltas in order, the route, the latest usage, the end."""
    if len(parts) == 1:
        return parts[0]
    whole = StreamPart(tuple([delta for part in parts for delta in part.deltas]))
    for part in parts:
        whole.route = whole.route or part.route
        whole.progress = part.progress or whole.progress
        whole.end = part.end or whole.end
    return whole


class Embeddings(Struct, gc=False):
    """Vectors, in the order of the inputs, as packed little-endian float32."""

    route: Route
    vectors: tuple[list[float], ...]
    end: End


class ModelStatus(Struct, gc=False):
    """What the router has seen of one model version lately."""

    provider: str
    model: str
    status: str
    latency_ms: int
    error_rate: float
    updated_at_s: float
    reason: str = ""
    since: datetime | None = None
    latency_p95_ms: int = 0
    first_content_p50_ms: int = 0
    first_content_p95_ms: int = 0
    calls: int = 0


class CanarySide(Struct, gc=False):
    """What one side of a canary has shown the router that answers: sums over its answers."""

    channel: str
    side: str
    resolved_model: str
    answers: int
    failures: int
    first_content_s: float
    tokens_output: int
    cost_micro_rub: int


def chars_of_calls(calls: Sequence[ToolCallPart]) -> int:
    """Return the characters that a provider bills of tool calls: names and arguments."""
    return sum(len(call.name) + len(call.arguments) for call in calls)


def chars_of(choices: Sequence[Choice]) -> int:
    """Return the characters that a provider bills of whole choices: text, shown reasoning, tool calls."""
    chars = 0
    for choice in choices:
        chars += len(choice.content or "") + len(choice.reasoning)
        if choice.tool_calls:
            chars += chars_of_calls(choice.tool_calls)
    return chars
