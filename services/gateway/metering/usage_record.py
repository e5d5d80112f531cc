"""One request in three states: its facts when it goes out, its outcome when it has ended, and the row it becomes.

They are msgspec structs because the journal and Redis store them; they import nothing of the gateway. No field has a
default: who forgets one is told by the type checker and by the constructor. New fields go last; what an earlier
version of the gateway wrote without them is read by `older_versions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag, StrEnum
from typing import ClassVar

import msgspec


class Status(IntEnum):
    """How a request ended; the numbers are those of razvilka.usage.v1.Status."""

    COMPLETED = 1
    INTERRUPTED = 2
    FAILED = 3


class Source(IntEnum):
    """Who counted the tokens; the numbers are those of razvilka.usage.v1.Source."""

    PROVIDER = 1
    ESTIMATED = 2
    REAPED = 3
    DISPUTED = 4
    IMPORTED = 5


class Flag(StrEnum):
    """What is unusual about a bill. A closed set: values are metric labels.

    INPUT_DISPUTED, OUTPUT_DISPUTED: the provider claimed more than is plausible; the bound is billed.
    OVER_HOLD: the bill is what was delivered, and more than was held for it.
    FIGURES_CLAMPED: figures that contradict each other, or that no column can hold, became the nearest that can be.
    COST_CLAMPED: no column can hold the cost; the most that one can is billed.
    TEXT_CLAMPED: a text was shortened, or lost characters that cannot be stored.
    TOKENIZED: the answer came without usage, and the provider's tokenizer counted it.
    UNBILLED: the bill could not be computed; the row keeps what is known of the request.
    NOT_KEPT: the request has an idempotency key that keeps no answer of it, so it costs nothing: a retry may.
    """

    INPUT_DISPUTED = "input_disputed"
    OUTPUT_DISPUTED = "output_disputed"
    OVER_HOLD = "over_hold"
    FIGURES_CLAMPED = "figures_clamped"
    COST_CLAMPED = "cost_clamped"
    TEXT_CLAMPED = "text_clamped"
    UNBILLED = "unbilled"
    TOKENIZED = "tokenized"
    NOT_KEPT = "not_kept"


class Trait(IntFlag):
    """What a request asks for that advice on models depends on; the bits are stored, so they never change."""

    TOOLS = 1
    TEMPERATURE_ZERO = 2
    IMAGES = 4
    SCHEMA = 8


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """One try of one model of one provider; `reason` is empty when it answered."""

    provider: str
    model: str
    reason: str = ""
    latency_ms: int = 0


class Price(msgspec.Struct, frozen=True, array_like=True):
    """Micro-roubles per 1,000 tokens, frozen at admission; no price for cached input means the price of input."""

    version: str
    input_micro_rub_per_1k: int
    output_micro_rub_per_1k: int
    cached_micro_rub_per_1k: int | None = None

    @property
    def dearest_input_micro_rub_per_1k(self) -> int:
        """Return what input costs at most: nobody knows before how much of it a provider has cached."""
        return max(self.input_micro_rub_per_1k, self.cached_micro_rub_per_1k or 0)

    def share(self, percent: int) -> Price:
        """Return so many percent of it, rounded up."""
        if percent == 100:
            return self
        prices = (self.input_micro_rub_per_1k, self.output_micro_rub_per_1k, self.cached_micro_rub_per_1k)
        shares = [None if price is None else -(-price * percent // 100) for price in prices]
        return msgspec.convert([self.version, *shares], Price)


class TokenUsage(msgspec.Struct, frozen=True, array_like=True):
    """Tokens as the provider says: input includes cached, output includes reasoning. Zero is a value.

    `tokenized`: the answer did not say them, the provider's own tokenizer counted.
    """

    tokens_input: int
    tokens_output: int
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    tokenized: bool = False


def total_usage(usages: Sequence[TokenUsage | None]) -> TokenUsage | None:
    """Return the sum of usages, or None when one of them is not known."""
    known = [usage for usage in usages if usage is not None]
    if len(known) < len(usages):
        return None
    return TokenUsage(
        sum(usage.tokens_input for usage in known),
        sum(usage.tokens_output for usage in known),
        sum(usage.tokens_cached for usage in known),
        sum(usage.tokens_reasoning for usage in known),
        any(usage.tokenized for usage in known),
    )


class RequestFacts(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What is known when a request goes out: with the ticket, enough for a row if nothing more is ever known.

    Redis keeps them beside the hold, the journal in DISPATCHED.

    Attributes:
        boot_id: of the gateway that admitted it.
        input_tokens: our count of what the provider bills as input, all choices together.
        input_bound: the most input tokens that a provider can claim and be believed; 0: not known.
        output_bound: the same of output: what was asked for, all choices together; 0: not known.
        hold_micro_rub: what admission holds; 0: not known.
        idempotent: it has an idempotency key, and costs something only if an answer of it is kept under that key.
        metadata: the caller's tags.
        prompt_digest: the same for the same prompt of the same user; empty: none is made.
        traits: members of `Trait`, as bits.
    """

    FIELDS_OF_A_BILL: ClassVar = 7

    boot_id: str
    key_id: str
    provider: str
    model: str
    price: Price
    input_tokens: int
    started_at_us: int
    grant_id: str
    client_id: str
    requested_model: str
    endpoint: str
    stream: bool
    trace_id: str
    input_bound: int
    output_bound: int
    hold_micro_rub: int
    idempotent: bool
    metadata: dict[str, str]
    prompt_digest: bytes
    traits: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended.

    Attributes:
        usage: as the provider says; None when it does not; explicit zeros are a value.
        delivered_tokens: output tokens the gateway has seen, by our count.
        delivered_bound: the most tokens that what the gateway has seen can be; 0: the provider may have made more than
            it showed, so nothing follows from it.
        provider, model: of what answered; empty: what the request asked for.
        price: of the model that answered, when a fallback did; None: the frozen one.
        dropped_params: what was asked for and not done, joined by ", ".
        cache_status: what the cache of answers had: "hit", "miss", or "" if it was not asked.
        answer_kept: an answer of it is kept under its idempotency key; says nothing of a request that has none.
        queue_ms: of it, how long it waited for room in a budget, and for a slot of a provider.
        fallbacks: 1: another model answered than the first that was tried.
        full_price: of the model that answered, when what answered was the cache and has a price of its own.
    """

    status: Status
    usage: TokenUsage | None
    delivered_tokens: int
    delivered_bound: int
    provider: str
    model: str
    resolved_model: str
    price: Price | None
    finish_reason: str
    error_code: str
    first_token_ms: int
    latency_ms: int
    http_status: int
    attempts: tuple[Attempt, ...]
    dropped_params: str
    cache_status: str
    answer_kept: bool
    queue_ms: int
    fallbacks: int
    full_price: Price | None


class UsageRecord(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One row of usage.Record; fields and meanings are those of razvilka.usage.v1.UsageRecord.

    Attributes:
        flags: members of `Flag` joined by commas: what is unusual about the bill; mostly empty.
        over_hold_micro_rub: by how much the bill exceeds what admission held.
        dropped_params: what was asked for and not done, joined by ", ".
        cache_status: what the cache of answers had: "hit", "miss", or "" if it was not asked.
        saved_micro_rub: what it would have cost more if neither the provider nor we had a cache.
    """

    FIELDS_OF_A_BILL: ClassVar = 13

    request_id: str
    user_id: str
    provider: str
    model: str
    status: Status
    source: Source
    cost_micro_rub: int
    price_version: str
    started_at_us: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_reasoning: int
    key_id: str
    grant_id: str
    client_id: str
    requested_model: str
    resolved_model: str
    endpoint: str
    stream: bool
    finish_reason: str
    error_code: str
    first_token_ms: int
    latency_ms: int
    http_status: int
    trace_id: str
    attempts: tuple[Attempt, ...]
    flags: str
    over_hold_micro_rub: int
    dropped_params: str
    cache_status: str
    metadata: dict[str, str]
    queue_ms: int
    fallbacks: int
    saved_micro_rub: int
    prompt_digest: bytes
    traits: int

    @property
    def billed(self) -> TokenUsage:
        """Return the tokens that are billed."""
        return TokenUsage(self.tokens_input, self.tokens_output, self.tokens_cached, self.tokens_reasoning)


class Rejected(msgspec.Struct, frozen=True):
    """A record that can never be stored, and why."""

    request_id: str
    field: str
    message: str
