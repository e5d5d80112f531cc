"""Parses replies of YandexGPT's native API."""

from __future__ import annotations

from collections.abc import Mapping

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Prompt, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.transport.lines import LineBuffer
from services.router.providers.yandexgpt.response import NativeStream, error_of, vectors, whole_answer


class NativeReplies:
    """Parses replies of the native API.

    Args:
        ids: makes the ids of tool calls.
        hold_back_chars: letters of each partial text that are held back, for it may be rewritten.
        clock: for a Retry-After that is a date.
    """

    def __init__(self, ids: ToolCallIds, hold_back_chars: int, clock: Clock) -> None:
        self._ids = ids
        self._clock = clock
        self._hold_back_chars = hold_back_chars

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
        """Return the error of a reply that is not 200."""
        return error_of(status, headers, body, self._clock)

    def whole_answer(self, body: bytes, prompt: Prompt) -> tuple[Answer, str]:
        """Return the answer and the model's build."""
        return whole_answer(body, self._ids.of(prompt.tenant))

    def comes_whole(self, headers: Mapping[str, str], first: bytes) -> bool:
        """A stream is lines of JSON, so its content type says nothing."""
        return False

    def frames(self, line_bytes: int) -> LineBuffer:
        """Return a reader of lines."""
        return LineBuffer(line_bytes)

    def answer_stream(self, prompt: Prompt) -> NativeStream:
        """Return what makes an answer of the lines."""
        return NativeStream(self._ids.of(prompt.tenant), self._hold_back_chars)

    def vectors(self, body: bytes) -> Vectors:
        """Return the one embedding of a reply."""
        return vectors(body)
