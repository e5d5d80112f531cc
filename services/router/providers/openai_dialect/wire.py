"""The wire format of answers in the OpenAI dialect: chunks, whole answers, embeddings.

Wider than OpenAI's own: whoever says less, or says it in another place, is read all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

# OpenAI's; callers make lists as long as a number says.
MOST_CHOICES: Final = 128


class Function(msgspec.Struct, gc=False):
    """A called function; in a stream, maybe a piece of it."""

    name: str | None = None
    arguments: Any = None


class Call(msgspec.Struct, gc=False):
    """A tool call, in a stream maybe a piece of one."""

    index: int | None = None
    id: str | int | None = None
    function: Function | None = None


class Said(msgspec.Struct, gc=False):
    """A message, or a piece of one. Reasoning has two names: vLLM, Ollama, Groq and OpenRouter use `reasoning`."""

    content: str | list[Any] | None = None
    refusal: Any = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[Call] | Call | None = None

    @property
    def calls(self) -> Sequence[Call]:
        """The calls; TGI streams one that stands in no list."""
        return [self.tool_calls] if isinstance(self.tool_calls, Call) else self.tool_calls or ()

    @property
    def text(self) -> str:
        """What is said; words with which a model refuses are that, too: callers know no other place for them."""
        content = self.content
        if content is not None and not isinstance(content, str):
            content = _text_of(content, "text")
        return content or (self.refusal if isinstance(self.refusal, str) else "")

    @property
    def thoughts(self) -> str:
        """What the model thought; who says it under both names says the same twice. Mistral says it among the parts."""
        if self.reasoning_content:
            return self.reasoning_content
        if isinstance(self.reasoning, str):
            return self.reasoning
        return _text_of(self.content, "thinking") if isinstance(self.content, list) else ""


def _text_of(parts: Sequence[Any], kind: str) -> str:
    """Return the text of the parts of a kind; a thought is text, or has parts of its own."""
    found = [part.get(kind) for part in parts if isinstance(part, dict) and part.get("type") == kind]
    texts = [_text_of(each, "text") if isinstance(each, list) else each for each in found]
    return "".join(text for text in texts if isinstance(text, str))


class Choice(msgspec.Struct, gc=False):
    """One of the answers, or a piece of it."""

    index: Annotated[int, msgspec.Meta(ge=0, lt=MOST_CHOICES)] | None = None
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None

    @property
    def said(self) -> Said:
        """What it says, streamed or whole."""
        return self.delta or self.message or _NOTHING_SAID


class Details(msgspec.Struct, gc=False):
    """Parts of a count."""

    cached_tokens: Any = None
    reasoning_tokens: Any = None


class UsageSaid(msgspec.Struct, gc=False):
    """Reported token counts. DeepSeek and Moonshot report cached tokens beside the details."""

    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    prompt_cache_hit_tokens: Any = None
    cached_tokens: Any = None

    @property
    def cached(self) -> Any:
        """Tokens of the prompt that came from a cache."""
        told = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        if told is not None:
            return told
        return self.prompt_cache_hit_tokens if self.prompt_cache_hit_tokens is not None else self.cached_tokens

    @property
    def thought(self) -> Any:
        """Tokens of what the model thought."""
        return self.completion_tokens_details.reasoning_tokens if self.completion_tokens_details else None


class Chunk(msgspec.Struct, gc=False):
    """A whole answer, or an event of a streamed one."""

    choices: list[Choice] | None = None
    usage: UsageSaid | None = None
    system_fingerprint: str | None = None
    error: Any = None
    object: Any = None


class Vector(msgspec.Struct, gc=False):
    """The embedding of one text."""

    embedding: list[float]
    index: int = 0


class VectorsSaid(msgspec.Struct, gc=False):
    """Embeddings."""

    data: list[Vector]
    usage: UsageSaid | None = None


CHUNK: Final = msgspec.json.Decoder(Chunk)
VECTORS: Final = msgspec.json.Decoder(VectorsSaid)
_NOTHING_SAID: Final = Said()
