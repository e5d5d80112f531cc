"""The bill of a request that has ended: whatever it was said to have used, there is one."""

from __future__ import annotations

import msgspec
import structlog

from servicekit.errors import ServiceError, name_of
from services.gateway.metering import metrics
from services.gateway.metering.hold import Ticket
from services.gateway.metering.interfaces import FindsHolds
from services.gateway.metering.journal.records import Settled, decode, encode
from services.gateway.metering.settle import unbilled_record, usage_record
from services.gateway.metering.usage_record import Outcome, RequestFacts, Source, TokenUsage, UsageRecord

log = structlog.get_logger()


def bill(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> UsageRecord:
    """Return the row, counted in the metrics; it never raises."""
    record = row_of(ticket, facts, outcome)
    metrics.count_bill(record)
    if record.source is Source.DISPUTED and outcome.usage is not None:
        _tell_claim(record, outcome.usage)
    return record


def _tell_claim(record: UsageRecord, claimed: TokenUsage) -> None:
    """Log what a provider claimed: the row has what is billed of it, and whoever asks the provider needs both."""
    log.warning(
        "metering.bill_disputed",
        request_id=record.request_id,
        provider=record.provider,
        model=record.model,
        claimed_input=claimed.tokens_input,
        claimed_output=claimed.tokens_output,
        billed_input=record.tokens_input,
        billed_output=record.tokens_output,
    )


def previewed(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> tuple[UsageRecord, bytes]:
    """Return the row that this outcome will be, and what lets another process settle it (`kept_bill`)."""
    row = row_of(ticket, facts, outcome)
    return row, encode(Settled(row, ticket, facts.started_at_us + 1000 * outcome.latency_ms))


def row_of(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> UsageRecord:
    """Return the row; it never raises."""
    try:
        return usage_record(ticket, facts, outcome)
    except Exception:
        # A bill that cannot be computed is a fault of ours; the caller's slot and money must not hang on it.
        log.exception("metering.bill_failed", request_id=ticket.request_id)
        return unbilled_record(ticket, facts)


async def kept_bill(holds: FindsHolds, ticket: Ticket, facts: RequestFacts) -> Settled | None:
    """Return the bill that was kept with the answer of a request whose gateway died before it journalled the end.

    The answer says what it cost, and retries get it, so exactly that is billed. None: the request has no idempotency
    key, none keeps its answer, or nobody can tell.
    """
    if not facts.idempotent:
        return None
    try:
        payload = await holds.kept_bill(ticket.user_id, ticket.request_id)
        found = None if payload is None else decode(payload)
    except (ServiceError, msgspec.DecodeError) as exc:
        log.warning("metering.kept_bill_unseen", request_id=ticket.request_id, error=name_of(exc))
        return None
    return found if isinstance(found, Settled) else None
