"""What providers have made for one request so far: the caller has it, or pays for it though another part failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from services.gateway.inference.estimate import tokens_of
from services.gateway.inference.pricing import PricedRequest
from services.gateway.metering.usage_record import TokenUsage, total_usage

NOTHING: Final = TokenUsage(0, 0)
# From what was used and what it cost in micro-roubles to the last bytes that the caller gets.
Last = Callable[[TokenUsage, int], bytes]
# What a route does with the last bytes of a settled answer before they are sent: it may send others. It may not fail.
BeforeLast = Callable[[bytes], Awaitable[bytes]]
# No tokenizer makes more tokens of a character than it has bytes.
BYTES_OF_A_CHAR: Final = 4
# Marks around an answer and around its tool calls, which are billed and not shown.
ANSWER_TEMPLATE_BOUND: Final = 64
# A call with usage: prompt, completion, cached and reasoning tokens; without: the characters of its answer.
_FIGURES: Final = 4

_used: Final = msgspec.json.Decoder(list[list[int]]).decode


class Delivered:
    """Characters that were seen, and usage as far as it was said."""

    __slots__ = ("_priced", "chars", "usage")

    def __init__(self, priced: PricedRequest) -> None:
        self._priced = priced
        self.chars = 0
        self.usage: TokenUsage | None = None

    @property
    def is_billed(self) -> bool:
        """Tell whether a provider has made anything."""
        return self.chars > 0 or self.usage is not None

    @property
    def tokens(self) -> int:
        """Output tokens by the model's own ratio."""
        return tokens_of(self._priced.model, self.chars) if self.chars else 0

    def bound(self, finish_reason: str) -> int:
        """Return the most tokens that the answer can be; 0: a provider may have made more of it than it showed."""
        if finish_reason not in ("stop", "tool_calls") or not self._priced.size.shows_all:
            return 0
        return BYTES_OF_A_CHAR * self.chars + ANSWER_TEMPLATE_BOUND

    def answered(self, chars: int, usage: TokenUsage | None) -> None:
        """Add the answer of one prompt."""
        self._add(chars, usage, self._priced.size.prompts)

    def used(self, told: str) -> None:
        """Add single calls of a request that failed, as the router tells them in its error."""
        size = self._priced.size
        for figures in _calls(told):
            usage = _usage(figures)
            self._add(0 if usage else figures[0], usage, max(size.prompts, size.choices))

    def _add(self, chars: int, usage: TokenUsage | None, parts: int) -> None:
        if usage is None:
            made = tokens_of(self._priced.model, self.chars + chars) - self.tokens
            usage = TokenUsage(self._priced.estimate.input_tokens // parts, made)
        self.chars += chars
        self.usage = usage if self.usage is None else total_usage([self.usage, usage])


def _usage(figures: Sequence[int]) -> TokenUsage | None:
    if len(figures) != _FIGURES:
        return None
    tokens_input, tokens_output, cached, reasoning = figures
    return TokenUsage(tokens_input, tokens_output, cached, reasoning)


def _calls(told: str) -> Sequence[Sequence[int]]:
    """Return the figures of each call; a settlement may not fail, so what cannot be read is nothing."""
    try:
        return [figures for figures in _used(told) if len(figures) in (1, _FIGURES)]
    except msgspec.DecodeError:
        return ()


async def as_they_are(last: bytes) -> bytes:
    """Return the last bytes of a route that makes nothing else of them."""
    return last
