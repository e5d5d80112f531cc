"""Values that admission, metering and the usage client share: what a request holds and what it cost.

They are msgspec structs because the journal and Redis store them; they import nothing of the gateway.
"""

from __future__ import annotations

from enum import IntEnum

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


class HoldFacts(msgspec.Struct, frozen=True):
    """What Redis keeps beside a hold, so that a row can be written when the gateway and its disk are gone."""

    boot_id: str
    key_id: str
    provider: str
    model: str
    price_version: str
    input_tokens: int
    input_cost_micro_rub: int
    started_at_us: int
    grant_id: str = ""
    client_id: str = ""
    requested_model: str = ""
    endpoint: str = "chat.completions"
    stream: bool = False


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What is needed to settle an admitted request, also by another process after a crash.

    Attributes:
        admitted_at_us: Redis time of the admission; 0 when Redis was lost and the request was admitted locally.
        budget_keys: names of the budget counters of the periods that the request was admitted in.
    """

    user_id: str
    request_id: str
    admitted_at_us: int = 0
    budget_keys: tuple[str, ...] = ()


class Hold(msgspec.Struct, frozen=True):
    """A hold found in Redis: whose, until when its owner promised to be alive, and its facts."""

    user_id: str
    request_id: str
    expires_at_us: int
    amount_micro_rub: int
    facts: HoldFacts

    @property
    def ticket(self) -> Ticket:
        """Return what settles this hold; its counters are named by the hold itself."""
        return Ticket(self.user_id, self.request_id, self.expires_at_us)


class UsageRecord(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One row of usage.Record; fields and meanings are those of razvilka.usage.v1.UsageRecord."""

    request_id: str
    user_id: str
    provider: str
    model: str
    status: Status
    source: Source
    cost_micro_rub: int
    price_version: str
    started_at_us: int
    key_id: str = ""
    grant_id: str = ""
    client_id: str = ""
    requested_model: str = ""
    resolved_model: str = ""
    endpoint: str = "chat.completions"
    stream: bool = False
    tokens_input: int = 0
    tokens_output: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    finish_reason: str = ""
    error_code: str = ""
    first_token_ms: int = 0
    latency_ms: int = 0
    http_status: int = 0
    trace_id: str = ""
    attempts: tuple[Attempt, ...] = ()


class Rejected(msgspec.Struct, frozen=True):
    """A record that can never be stored, and why."""

    request_id: str
    field: str = ""
    message: str = ""
