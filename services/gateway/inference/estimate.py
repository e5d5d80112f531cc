"""What a request may cost at most, before anybody has answered: the size of the hold, and what a claim is checked by.

Three counts of the same prompt, the first two upper bounds:

    bound     what no tokenizer exceeds (`text_size`), template, tools, schema and attachments included: a provider that
              claims more is not believed
    held      the bound, its text scaled by the share of it that prompts of this script have really used (`learned
              shares` of the catalogue; 1 until something is known): the hold
    expected  by characters a token: what is billed when the provider says nothing
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from services.gateway.clients.catalog import Model
from services.gateway.inference.size.prompt_size import PromptSize
from services.gateway.metering.usage_record import Price

# An image costs a number of tokens that nobody can tell beforehand; GigaChat and OpenAI models take 700 to 1,450.
TOKENS_PER_IMAGE: Final = 1000
IMAGE_BOUND: Final = 2048
# The template around a conversation and around each message: role words and marks. YandexGPT's counted 15 for one word.
TEMPLATE_BOUND: Final = 16
MESSAGE_BOUND: Final = 8
DEFAULT_CHARS_PER_TOKEN: Final = 3.0
# Of a model whose catalogue entry names neither the longest answer nor the context.
DEFAULT_OUTPUT_TOKENS: Final = 8192
# A script counts for a text from this share of it on: the worst of those that count is held for.
SCRIPT_SHARE: Final = 0.2


class Estimate(msgspec.Struct, frozen=True):
    """Tokens in as expected and at most, the most tokens out, and the most money; all choices together."""

    input_tokens: int
    input_bound: int
    output_bound: int
    hold_micro_rub: int

    @property
    def tokens(self) -> int:
        """All tokens, for the limit per minute."""
        return self.input_tokens + self.output_bound


def tokens_of(model: Model, chars: int) -> int:
    """Return how many tokens `chars` characters are, rounded up."""
    return math.ceil(chars / (model.chars_per_token or DEFAULT_CHARS_PER_TOKEN))


def estimate(size: PromptSize, model: Model, price: Price) -> Estimate:
    """Return what a prompt may cost if this model answers it: the hold is rounded up to whole micro-roubles."""
    times = _times_billed(size, model)
    held, output = held_input(size, model) * times, output_bound(size, model) * size.choices
    milli = held * price.dearest_input_micro_rub_per_1k + output * price.output_micro_rub_per_1k
    expected = expected_input(size, model) * times
    return Estimate(expected, input_bound(size, model) * times, output, -(-milli // 1000))


def worst(estimates: Iterable[Estimate]) -> Estimate:
    """Return what covers each of the estimates; what is expected is the first one's."""
    first, *others = estimates
    for other in others:
        first = msgspec.structs.replace(
            first,
            input_bound=max(first.input_bound, other.input_bound),
            output_bound=max(first.output_bound, other.output_bound),
            hold_micro_rub=max(first.hold_micro_rub, other.hold_micro_rub),
        )
    return first


def expected_input(size: PromptSize, model: Model) -> int:
    """Return our count of the input of all prompts, once each."""
    template = model.tokens_per_message * size.messages
    return max(1, tokens_of(model, size.text.chars) + template + TOKENS_PER_IMAGE * size.images)


def input_bound(size: PromptSize, model: Model) -> int:
    """Return the most tokens that the input of all prompts can be: none is longer than the window."""
    return _within_window(size.text.token_bound + _overhead(size, model), size, model)


def held_input(size: PromptSize, model: Model) -> int:
    """Return the tokens of the input of all prompts that are held for."""
    shares = [model.learned_shares.get(script, 1.0) for script in size.text.scripts(SCRIPT_SHARE)]
    text = math.ceil(size.text.token_bound * max(shares, default=1.0))
    return _within_window(text + _overhead(size, model), size, model)


def output_bound(size: PromptSize, model: Model) -> int:
    """Return the most tokens one choice can have: as asked, or the model's own cap."""
    cap = model.max_output_tokens or model.context_length or DEFAULT_OUTPUT_TOKENS
    return min(size.max_tokens, cap) if size.max_tokens else cap


def _overhead(size: PromptSize, model: Model) -> int:
    template = TEMPLATE_BOUND * size.prompts + MESSAGE_BOUND * size.messages
    if model.writes_schemas_out:
        template += size.schemas.growth
    return template + size.envelopes + IMAGE_BOUND * size.images


def _within_window(tokens: int, size: PromptSize, model: Model) -> int:
    return min(tokens, model.context_length * size.prompts) if model.context_length else tokens


def affordable_output(size: PromptSize, model: Model, price: Price, micro_rub: int) -> int:
    """Return how many tokens each choice may have if everything together may cost `micro_rub`; negative: none."""
    input_milli = held_input(size, model) * _times_billed(size, model) * price.dearest_input_micro_rub_per_1k
    left, most = micro_rub * 1000 - input_milli, output_bound(size, model)
    each = price.output_micro_rub_per_1k * size.choices
    return min(left // each, most) if each else most if left >= 0 else -1


def _times_billed(size: PromptSize, model: Model) -> int:
    """Return how often the provider reads the input."""
    return max(1, size.choices // size.prompts) if model.bills_input_per_choice else 1
