"""Parses GigaChat's replies."""

from __future__ import annotations

from collections.abc import Mapping

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Prompt, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.gigachat.response import SseStream, error_of, vectors, whole_answer
from services.router.providers.transport.sse import SseDecoder


class GigaChatReplies:
    """Parses replies of API v1."""

    def __init__(self, ids: ToolCallIds, clock: Clock, indexed: str = "tools") -> None:
        self._ids = ids
        self._indexed = indexed
        self._clock = clock

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
        """Return the error of a reply that is not 200."""
        return error_of(status, headers, body, self._clock, self._indexed)

    def whole_answer(self, body: bytes, prompt: Prompt) -> tuple[Answer, str]:
        """Return the answer and the model's build."""
        return whole_answer(body, self._ids.of(prompt.tenant), self._clock)

    def comes_whole(self, headers: Mapping[str, str], first: bytes) -> bool:
        """A stream that was asked for is always one."""
        return False

    def frames(self, line_bytes: int) -> SseDecoder:
        """Return a reader of server-sent events."""
        return SseDecoder(line_bytes)

    def answer_stream(self, prompt: Prompt) -> SseStream:
        """Return what makes an answer of the events."""
        return SseStream(self._ids.of(prompt.tenant), self._clock)

    def vectors(self, body: bytes) -> Vectors:
        """Return the embeddings, in the order of the texts."""
        return vectors(body)
