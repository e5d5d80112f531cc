"""What a request may cost at most, before anybody has answered: the size of the hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final

from msgspec import Raw

from services.gateway.clients.catalog import Model
from services.gateway.inference.schemas import ChatRequest, FunctionDefinition, ToolCall
from services.gateway.metering.usage_record import Price

# An image, sound or file costs tokens that nobody can tell beforehand; GigaChat and OpenAI models take 700 to 1,100.
TOKENS_PER_ATTACHMENT: Final = 1000
# A part of a message from this size on, in bytes of JSON, is an attachment: inline base64 would count as a novel.
ATTACHMENT_BYTES: Final = 4096
# JSON of tools and schemas counts about as prose does; its size as text is what providers tokenise.
DEFAULT_CHARS_PER_TOKEN: Final = 3.0
# Of a model whose catalogue entry names neither the longest answer nor the context.
DEFAULT_OUTPUT_TOKENS: Final = 8192


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens in, the most tokens out, and the most money."""

    input_tokens: int
    output_bound: int
    hold_micro_rub: int

    @property
    def tokens(self) -> int:
        """All tokens, for the limit per minute."""
        return self.input_tokens + self.output_bound

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.input_tokens + other.input_tokens,
            self.output_bound + other.output_bound,
            self.hold_micro_rub + other.hold_micro_rub,
        )


def tokens_of(model: Model, chars: int) -> int:
    """Return how many tokens `chars` characters are, rounded up."""
    return math.ceil(chars / (model.chars_per_token or DEFAULT_CHARS_PER_TOKEN))


def estimate_chats(requests: Sequence[ChatRequest], model: Model, price: Price) -> Estimate:
    """Return the sum of what each chat may cost: every prompt of a list is asked, and billed, by itself."""
    return reduce(add, [estimate_chat(request, model, price) for request in requests])


def estimate_chat(request: ChatRequest, model: Model, price: Price) -> Estimate:
    """Return what one chat may cost: its text, attachments and tools going in, `n` choices of full length coming out.

    Args:
        request: checked and in the new form: `tools` where the caller wrote `functions`.
        model: gives characters a token, tokens a message and the longest answer.
        price: frozen; the hold is rounded up to whole micro-roubles.
    """
    messages = request.messages or ()
    chars = attachments = 0
    for message in messages:
        content = message.content
        if isinstance(content, str):
            chars += len(content)
        elif content is not None:
            text, attached = _size_of_parts(content)
            chars, attachments = chars + text, attachments + attached
        if message.tool_calls:
            chars += _size_of_calls(message.tool_calls)
    if request.tools:
        chars += sum(_size_of_function(tool.function) for tool in request.tools)
    tokens = tokens_of(model, chars) + model.tokens_per_message * len(messages) + TOKENS_PER_ATTACHMENT * attachments
    return _priced(max(tokens, 1), output_bound(request, model) * (request.n or 1), price)


def output_bound(request: ChatRequest, model: Model) -> int:
    """Return the most tokens one choice can have: as asked, or the model's own cap."""
    asked = request.max_completion_tokens or request.max_tokens
    cap = model.max_output_tokens or model.context_length or DEFAULT_OUTPUT_TOKENS
    return min(asked, cap) if asked else cap


def estimate_embedding(inputs: list[str], model: Model, price: Price) -> Estimate:
    """Return what an embedding call may cost: it has no output tokens, and each input counts as a message."""
    tokens = tokens_of(model, sum(map(len, inputs))) + model.tokens_per_message * len(inputs)
    return _priced(max(tokens, 1), 0, price)


def _size_of_parts(parts: Sequence[Raw]) -> tuple[int, int]:
    """Return the characters of the small parts, and how many are attachments."""
    sizes = [len(bytes(part)) for part in parts]
    small = [size for size in sizes if size < ATTACHMENT_BYTES]
    return sum(small), len(sizes) - len(small)


def _size_of_calls(calls: Sequence[ToolCall]) -> int:
    return sum(len(call.function.name) + len(call.function.arguments) for call in calls)


def _size_of_function(function: FunctionDefinition) -> int:
    return len(function.name) + len(function.description or "") + len(str(function.parameters or ""))


def _priced(input_tokens: int, bound: int, price: Price) -> Estimate:
    milli = input_tokens * price.input_micro_rub_per_1k + bound * price.output_micro_rub_per_1k
    return Estimate(input_tokens, bound, -(-milli // 1000))
