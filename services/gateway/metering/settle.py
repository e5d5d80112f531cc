"""From what was asked and what came back to what it costs. Pure.

    usage known (zeros included)           → its price                                source provider (or estimated)
    completed, interrupted or failed after → input estimate + delivered tokens        source estimated
      delivering tokens, usage unknown
    interrupted before the first token     → input estimate: the provider has read it source estimated
    failed before the first token          → nothing                                  source estimated
    nobody and nothing explains it         → input estimate                           source reaped

The price is the one frozen at admission, or that of the fallback that answered; never today's.
"""

from __future__ import annotations

from services.gateway.metering.hold import Hold, Ticket
from services.gateway.metering.usage_record import (
    Outcome,
    Price,
    RequestFacts,
    Source,
    Status,
    TokenUsage,
    UsageRecord,
)


def cost_micro_rub(usage: TokenUsage, price: Price) -> int:
    """Return the cost, rounded up to a whole micro-rouble; cached input has its own price where there is one."""
    cached = min(usage.tokens_cached, usage.tokens_input)
    cached_price = price.cached_micro_rub_per_1k
    if cached_price is None:
        cached_price = price.input_micro_rub_per_1k
    thousandths = (
        (usage.tokens_input - cached) * price.input_micro_rub_per_1k
        + cached * cached_price
        + usage.tokens_output * price.output_micro_rub_per_1k
    )
    return -(-thousandths // 1000)


def counted(facts: RequestFacts, outcome: Outcome) -> tuple[TokenUsage, Source]:
    """Return the tokens to bill and who counted them."""
    if outcome.usage is not None:
        return outcome.usage, Source.ESTIMATED if outcome.usage_is_estimate else Source.PROVIDER
    if outcome.status is Status.FAILED and outcome.delivered_tokens == 0:
        return TokenUsage(0, 0), Source.ESTIMATED
    return TokenUsage(facts.input_tokens, outcome.delivered_tokens), Source.ESTIMATED


def usage_record(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> UsageRecord:
    """Return the row of a request that has ended."""
    usage, source = counted(facts, outcome)
    return _row(ticket, facts, outcome, usage, source)


def reaped_record(hold: Hold) -> UsageRecord:
    """Return the row of a hold that nobody explains: its input estimate, since a provider was probably asked."""
    usage = TokenUsage(hold.facts.input_tokens, 0)
    return _row(hold.ticket, hold.facts, interrupted(0, "gateway_lost"), usage, Source.REAPED)


def _row(ticket: Ticket, facts: RequestFacts, outcome: Outcome, usage: TokenUsage, source: Source) -> UsageRecord:
    price = outcome.price or facts.price
    return UsageRecord(
        request_id=ticket.request_id,
        user_id=ticket.user_id,
        key_id=facts.key_id,
        grant_id=facts.grant_id,
        client_id=facts.client_id,
        provider=outcome.provider or facts.provider,
        model=outcome.model or facts.model,
        requested_model=facts.requested_model,
        resolved_model=outcome.resolved_model,
        endpoint=facts.endpoint,
        stream=facts.stream,
        tokens_input=usage.tokens_input,
        tokens_output=usage.tokens_output,
        tokens_cached=usage.tokens_cached,
        tokens_reasoning=usage.tokens_reasoning,
        cost_micro_rub=cost_micro_rub(usage, price),
        price_version=price.version,
        status=outcome.status,
        source=source,
        finish_reason=outcome.finish_reason,
        error_code=outcome.error_code,
        started_at_us=facts.started_at_us,
        first_token_ms=outcome.first_token_ms,
        latency_ms=outcome.latency_ms,
        http_status=outcome.http_status,
        trace_id=facts.trace_id,
        attempts=outcome.attempts,
    )


def interrupted(delivered_tokens: int, error_code: str) -> Outcome:
    """Return the outcome of a request whose gateway died: what it had delivered is all that is known."""
    return Outcome(
        status=Status.INTERRUPTED,
        usage=None,
        usage_is_estimate=False,
        delivered_tokens=delivered_tokens,
        provider="",
        model="",
        resolved_model="",
        price=None,
        finish_reason="",
        error_code=error_code,
        first_token_ms=0,
        latency_ms=0,
        http_status=0,
        attempts=(),
    )
