"""Parses replies in the OpenAI dialect."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Prompt, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.openai_dialect.calls import Calls
from services.router.providers.openai_dialect.errors import error_of
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.response import ChunkStream, vectors, whole_answer
from services.router.providers.transport.sse import SseDecoder

# A document begins with a brace or a bracket, the first line of events with a field or, of a remark, a colon.
_DOCUMENT: Final = (b"{", b"[")
_EVENTS: Final = (b"d", b"e", b"i", b"r", b":")


class OpenAIReplies:
    """Parses the replies of one provider."""

    def __init__(self, ids: ToolCallIds, clock: Clock, quirks: Quirks) -> None:
        self._ids = ids
        self._clock = clock
        self._quirks = quirks

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
        """Return the error of a reply that is not 200."""
        return error_of(status, headers, body, self._clock)

    def whole_answer(self, body: bytes, prompt: Prompt) -> tuple[Answer, str]:
        """Return the answer and the model's build."""
        return whole_answer(body, self._calls_of(prompt), self._quirks, self._clock)

    def comes_whole(self, headers: Mapping[str, str], first: bytes) -> bool:
        """Tell a JSON document from a stream: an error inside a 200, or an upstream that cannot stream.

        By how it begins: some serve one under the type of the other. Its type counts where that says nothing.
        """
        begin = first.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if begin in _DOCUMENT:
            return True
        if begin in _EVENTS:
            return False
        return headers.get("Content-Type", "").lower().startswith("application/json")

    def frames(self, line_bytes: int) -> SseDecoder:
        """Return a reader of server-sent events."""
        return SseDecoder(line_bytes)

    def answer_stream(self, prompt: Prompt) -> ChunkStream:
        """Return what makes an answer of the events."""
        choices = (prompt.n or 1) if self._quirks.native_choices else 1
        return ChunkStream(self._calls_of(prompt), self._quirks, self._clock, choices=choices)

    def _calls_of(self, prompt: Prompt) -> Calls:
        choice = prompt.tool_choice
        is_forced = choice is not None and choice.mode in ("required", "function")
        return Calls(self._ids, prompt.tenant, self._quirks, is_forced=is_forced)

    def vectors(self, body: bytes) -> Vectors:
        """Return the embeddings, in the order of the texts."""
        return vectors(body)
