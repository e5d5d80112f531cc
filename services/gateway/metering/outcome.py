"""What the edge knows at dispatch and at the end of a request."""

from __future__ import annotations

import msgspec

from services.gateway.metering.usage_record import Attempt, Price, Status, Ticket, TokenUsage


class Dispatched(msgspec.Struct, frozen=True, array_like=True, tag="D", kw_only=True):
    """A request that goes to a provider: everything that a row needs if nothing more is ever known."""

    ticket: Ticket
    provider: str
    model: str
    price: Price
    input_tokens: int
    started_at_us: int
    key_id: str = ""
    grant_id: str = ""
    client_id: str = ""
    requested_model: str = ""
    endpoint: str = "chat.completions"
    stream: bool = False
    trace_id: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended.

    Attributes:
        usage: None when nobody said; explicit zeros are a value.
        usage_is_estimate: the router counted by our rule because the provider did not say.
        delivered_tokens: output tokens the gateway has seen, for the interrupted rule.
        price: of the model that answered, when a fallback did; None: the frozen one.
    """

    status: Status
    usage: TokenUsage | None = None
    usage_is_estimate: bool = False
    delivered_tokens: int = 0
    provider: str = ""
    model: str = ""
    resolved_model: str = ""
    price: Price | None = None
    finish_reason: str = ""
    error_code: str = ""
    first_token_ms: int = 0
    latency_ms: int = 0
    http_status: int = 200
    attempts: tuple[Attempt, ...] = ()
