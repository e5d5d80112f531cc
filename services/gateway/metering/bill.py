"""The bill of a request that has ended: whatever it was said to have used, there is one."""

from __future__ import annotations

import structlog

from services.gateway.metering import metrics
from services.gateway.metering.hold import Ticket
from services.gateway.metering.settle import unbilled_record, usage_record
from services.gateway.metering.usage_record import Outcome, RequestFacts, UsageRecord

log = structlog.get_logger()


def bill(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> UsageRecord:
    """Return the row, counted in the metrics; it never raises."""
    record = row_of(ticket, facts, outcome)
    metrics.count_bill(record)
    return record


def row_of(ticket: Ticket, facts: RequestFacts, outcome: Outcome) -> UsageRecord:
    """Return the row; it never raises."""
    try:
        return usage_record(ticket, facts, outcome)
    except Exception:
        # A bill that cannot be computed is a fault of ours; the caller's slot and money must not hang on it.
        log.exception("metering.bill_failed", request_id=ticket.request_id)
        return unbilled_record(ticket, facts)
