"""What a request may cost at most, before anybody has answered: the size of the hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from services.gateway.clients.catalog import Model
from services.gateway.inference.schemas import ChatRequest, FunctionDefinition
from services.gateway.metering.usage_record import Price

# An image, sound or file costs tokens that nobody can tell beforehand; GigaChat and OpenAI models take 700 to 1,100.
TOKENS_PER_ATTACHMENT: Final = 1000
# JSON of tools and schemas counts about as prose does; its size as text is what providers tokenise.
DEFAULT_CHARS_PER_TOKEN: Final = 3.0


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


def tokens_of(model: Model, chars: int) -> int:
    """Return how many tokens `chars` characters are, rounded up."""
    return math.ceil(chars / (model.chars_per_token or DEFAULT_CHARS_PER_TOKEN))


def estimate_chat(request: ChatRequest, model: Model, price: Price, *, prompts: int = 1) -> Estimate:
    """Return the estimate of a chat completion; `prompts` is how many times it is asked (legacy list prompts)."""
    messages = request.messages or ()
    chars = attachments = 0
    for message in messages:
        content = message.content
        if isinstance(content, str):
            chars += len(content)
        elif content is not None:
            for part in content:
                size = len(bytes(part))
                # Inline base64 would count as a novel; it is one picture.
                chars, attachments = (chars + size, attachments) if size < 4096 else (chars, attachments + 1)
        if message.tool_calls:
            chars += sum(len(call.function.name) + len(call.function.arguments) for call in message.tool_calls)
    if request.tools:
        chars += sum(_size(tool.function) for tool in request.tools)
    tokens = tokens_of(model, chars) + model.tokens_per_message * len(messages) + TOKENS_PER_ATTACHMENT * attachments
    bound = output_bound(request, model) * (request.n or 1) * prompts
    return _priced(max(tokens, 1), bound, price)


def output_bound(request: ChatRequest, model: Model) -> int:
    """Return the most tokens one choice can have: as asked, or the model's own cap."""
    asked = request.max_completion_tokens or request.max_tokens
    cap = model.max_output_tokens or model.context_length or 8192
    return min(asked, cap) if asked else cap


def estimate_embedding(inputs: list[str], model: Model, price: Price) -> Estimate:
    """Return the estimate of an embedding call: it has no output tokens."""
    tokens = tokens_of(model, sum(map(len, inputs))) + model.tokens_per_message * len(inputs)
    return _priced(max(tokens, 1), 0, price)


def _size(function: FunctionDefinition) -> int:
    return len(function.name) + len(function.description or "") + len(str(function.parameters or ""))


def _priced(input_tokens: int, bound: int, price: Price) -> Estimate:
    milli = input_tokens * price.input_micro_rub_per_1k + bound * price.output_micro_rub_per_1k
    return Estimate(input_tokens, bound, -(-milli // 1000))
