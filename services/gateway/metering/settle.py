"""From what was asked and what came back to what it costs. Pure.

    usage known (zeros included)           → its price                                source provider
    no usage, the provider's tokenizer did → its price, flag `tokenized`              source provider
    usage beyond what is plausible         → the bound: what was asked, what was seen source disputed
    completed, interrupted or failed after → input estimate + delivered tokens        source estimated
      delivering tokens, usage unknown
    interrupted before the first token     → input estimate: the provider has read it source estimated
    failed before the first token          → nothing                                  source estimated
    nobody and nothing explains it         → input estimate                           source reaped

What has an idempotency key and was not kept under it costs nothing, whatever it used: one key is one bill, and its
retry may have to pay.

The price is the one frozen at admission, or that of the fallback that answered; never today's.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from services.gateway.metering.hold import Hold, Ticket
from services.gateway.metering.storable import MAX_COST_MICRO_RUB, storable
from services.gateway.metering.usage_record import (
    Flag,
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


def saved_micro_rub(usage: TokenUsage, price: Price, full_price: Price | None) -> int:
    """Return what caches spared: of the provider, which has a price for cached input, and ours (`full_price`)."""
    if not usage.tokens_cached and full_price is None:
        return 0
    uncached = msgspec.structs.replace(usage, tokens_cached=0)
    whole = cost_micro_rub(uncached, full_price or price)
    return min(max(0, whole - cost_micro_rub(usage, price)), MAX_COST_MICRO_RUB)


class Counted(NamedTuple):
    """The tokens to bill, who counted them, and what is unusual about them."""

    usage: TokenUsage
    source: Source
    flags: tuple[Flag, ...] = ()


def counted(facts: RequestFacts, outcome: Outcome) -> Counted:
    """Return the tokens to bill and who counted them."""
    if outcome.usage is not None:
        return _believed(facts, outcome, outcome.usage)
    if outcome.status is Status.FAILED and outcome.delivered_tokens == 0:
        return Counted(TokenUsage(0, 0), Source.ESTIMATED)
    return Counted(TokenUsage(facts.input_tokens, outcome.delivered_tokens), Source.ESTIMATED)


def _believed(facts: RequestFacts, outcome: Outcome, claimed: TokenUsage) -> Counted:
    """Return as much of a claim as is plausible; the bound stands in for the rest."""
    flags = []
    tokens_input, tokens_output = _figure(claimed.tokens_input), _figure(claimed.tokens_output)
    reasoning = _figure(claimed.tokens_reasoning)
    if 0 < facts.input_bound < tokens_input:
        tokens_input = facts.input_bound
        flags.append(Flag.INPUT_DISPUTED)
    bound = _output_bound(facts, outcome, reasoning)
    if bound is not None and bound < tokens_output:
        tokens_output = bound
        flags.append(Flag.OUTPUT_DISPUTED)
    source = Source.DISPUTED if flags else Source.PROVIDER
    cached = min(_figure(claimed.tokens_cached), tokens_input)
    usage = TokenUsage(tokens_input, tokens_output, cached, min(reasoning, tokens_output), claimed.tokenized)
    if not flags and usage != claimed:
        flags.append(Flag.FIGURES_CLAMPED)
    if claimed.tokenized:
        flags.append(Flag.TOKENIZED)
    return Counted(usage, source, tuple(flags))


def _figure(claimed: int) -> int:
    """Return a count of tokens; what is none, whatever its type says, is 0."""
    return claimed if type(claimed) is int and claimed > 0 else 0


def _output_bound(facts: RequestFacts, outcome: Outcome, reasoning: int) -> int | None:
    """Return the most output that is plausible: what was asked for, and what was seen; None: nobody knows.

    What was thought in hiding is not seen, so it is bounded by what was asked for alone.
    A provider may deliver more than it was asked for: what the caller got is billed, whatever was asked.
    """
    asked = max(facts.output_bound, outcome.delivered_tokens) if facts.output_bound else None
    seen = outcome.delivered_bound + reasoning if outcome.delivered_bound else None
    return asked if seen is None else seen if asked is None else min(asked, seen)


def usage_record(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> UsageRecord:
    """Return the row of a request that has ended, fit to be stored."""
    return storable(_row(ticket, facts, outcome, counted(facts, outcome)))


def unbilled_record(ticket: Ticket, facts: RequestFacts) -> UsageRecord:
    """Return the row of a request whose bill cannot be computed: what is known of it, and that somebody must look."""
    nothing = Counted(TokenUsage(0, 0), Source.ESTIMATED, (Flag.UNBILLED,))
    return storable(_row(ticket, facts, interrupted(0, "unbilled"), nothing))


def reaped_record(hold: Hold) -> UsageRecord:
    """Return the row of a hold that nobody explains: its input estimate, since a provider was probably asked."""
    usage = Counted(TokenUsage(hold.facts.input_tokens, 0), Source.REAPED)
    return storable(_row(hold.ticket, hold.facts, interrupted(0, "gateway_lost"), usage))


def _row(ticket: Ticket, facts: RequestFacts, outcome: Outcome, bill: Counted) -> UsageRecord:
    usage, price = bill.usage, outcome.price or facts.price
    cost, over, more = _charged(facts, outcome, cost_micro_rub(usage, price))
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
        cost_micro_rub=cost,
        price_version=price.version,
        status=outcome.status,
        source=bill.source,
        finish_reason=outcome.finish_reason,
        error_code=outcome.error_code,
        started_at_us=facts.started_at_us,
        first_token_ms=outcome.first_token_ms,
        latency_ms=outcome.latency_ms,
        http_status=outcome.http_status,
        trace_id=facts.trace_id,
        attempts=outcome.attempts,
        flags=",".join((*bill.flags, *more)),
        over_hold_micro_rub=over,
        dropped_params=outcome.dropped_params,
        cache_status=outcome.cache_status,
        metadata=facts.metadata,
        queue_ms=outcome.queue_ms,
        fallbacks=outcome.fallbacks,
        saved_micro_rub=0 if Flag.NOT_KEPT in more else saved_micro_rub(usage, price, outcome.full_price),
        prompt_digest=facts.prompt_digest,
        traits=facts.traits,
    )


def _charged(facts: RequestFacts, outcome: Outcome, cost: int) -> tuple[int, int, tuple[Flag, ...]]:
    """Return what of a cost is charged, by how much it exceeds the hold, and what is unusual about that."""
    if cost and facts.idempotent and not outcome.answer_kept:
        return 0, 0, (Flag.NOT_KEPT,)
    over = max(0, cost - facts.hold_micro_rub) if facts.hold_micro_rub else 0
    return cost, over, (Flag.OVER_HOLD,) if over else ()


def interrupted(delivered_tokens: int, error_code: str) -> Outcome:
    """Return the outcome of a request whose gateway died: what it had delivered is all that is known."""
    return Outcome(
        status=Status.INTERRUPTED,
        usage=None,
        delivered_tokens=delivered_tokens,
        delivered_bound=0,
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
        dropped_params="",
        cache_status="",
        answer_kept=False,
        queue_ms=0,
        fallbacks=0,
        full_price=None,
    )
