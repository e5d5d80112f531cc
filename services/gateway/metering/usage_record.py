"""One request in three states: its facts when it goes out, its outcome when it has ended, and the row it becomes.

They are msgspec structs because the journal and Redis store them; they import nothing of the gateway. No field has a
default: who forgets one is told by the type checker and by the constructor. New fields go last; what an earlier
version of the gateway wrote without them is read by `older_versions`.
"""

from __future__ import annotations

from enum import IntEnum
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


class TokenUsage(msgspec.Struct, frozen=True, array_like=True):
    """Tokens as the provider says: input includes cached, output includes reasoning. Zero is a value."""

    tokens_input: int
    tokens_output: int
    tokens_cached: int = 0
    tokens_reasoning: int = 0


class RequestFacts(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What is known when a request goes out: with the ticket, enough for a row if nothing more is ever known.

    Redis keeps them beside the hold, the journal in DISPATCHED.

    Attributes:
        boot_id: of the gateway that admitted it.
        input_tokens: estimated.
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


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended.

    Attributes:
        usage: None when nobody said; explicit zeros are a value.
        usage_is_estimate: the router counted by our rule because the provider did not say.
        delivered_tokens: output tokens the gateway has seen, for the interrupted rule.
        provider, model: of what answered; empty: what the request asked for.
        price: of the model that answered, when a fallback did; None: the frozen one.
    """

    status: Status
    usage: TokenUsage | None
    usage_is_estimate: bool
    delivered_tokens: int
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


class UsageRecord(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One row of usage.Record; fields and meanings are those of razvilka.usage.v1.UsageRecord."""

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


class Rejected(msgspec.Struct, frozen=True):
    """A record that can never be stored, and why."""

    request_id: str
    field: str
    message: str
