"""What a request was, as the API tells it: from its row, and while it is known from what it met on its way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from services.gateway.admission.dimensions import ROWS, Dimension, Rule, Unit
from services.gateway.clients.catalog import Catalog
from services.gateway.edge.money import roubles
from services.gateway.edge.request_context import CacheStatus
from services.gateway.inference.explaining.explained import Circumstances, Explanation, MetBudget, MetLimit
from services.gateway.inference.explanation import SEPARATOR
from services.gateway.metering.usage_record import Flag, Price, Source, Status, UsageRecord

_STATUS: Final = {Status.COMPLETED: "completed", Status.INTERRUPTED: "interrupted", Status.FAILED: "failed"}
SOURCE_NAMES: Final = {
    Source.PROVIDER: "provider",
    Source.ESTIMATED: "estimate",
    Source.REAPED: "reaper",
    Source.DISPUTED: "disputed",
    Source.IMPORTED: "imported",
}


def generation_body(record: UsageRecord, id: str) -> dict[str, Any]:
    """Return a stored request in the form of release 1.0."""
    return {
        "id": id,
        "model": record.requested_model or record.model,
        "resolved_model": record.resolved_model,
        "provider": record.provider,
        "streamed": record.stream,
        "generation_time": record.latency_ms,
        "first_token_ms": record.first_token_ms,
        "created_at": iso(record.started_at_us),
        "tokens_prompt": record.tokens_input,
        "tokens_completion": record.tokens_output,
        "tokens_cached": record.tokens_cached,
        "tokens_reasoning": record.tokens_reasoning,
        "total_cost": record.cost_micro_rub / 1e6,
        "cost_rub": roubles(record.cost_micro_rub),
        "finish_reason": record.finish_reason or None,
    }


def request_body(record: UsageRecord, catalog: Catalog) -> dict[str, Any]:
    """Return everything about a stored request; what only its settlement knew is null."""
    unknown = dict.fromkeys(("rule", "candidates", "timing", "limits", "budgets", "reached"))
    return _row_body(record) | unknown | {"price": _price_body(record, _price_of(record, catalog))}


def explained_body(explanation: Explanation) -> dict[str, Any]:
    """Return everything about a request that ended lately."""
    record, met = explanation.record, explanation.circumstances
    return _row_body(record) | {
        "rule": met.rule,
        "candidates": list(met.candidates),
        "timing": {"gateway_ms": met.gateway_ms, "queue_ms": met.queue_ms, "provider_ms": met.provider_ms},
        "limits": [_limit_body(limit, met, record) for limit in met.limits],
        "budgets": [_budget_body(budget, met, record) for budget in met.budgets],
        "reached": [{"id": id, "mode": mode} for id, mode in met.reached],
        "price": _price_body(record, met.price),
    }


def _limit_body(limit: MetLimit, met: Circumstances, record: UsageRecord) -> dict[str, Any]:
    """Return what a request took of a limit, and what was left of it once the request had ended."""
    row = ROWS[Dimension(limit.dimension)]
    took, gave_back = 1, 0
    if row.rule is Rule.SLOTS:
        gave_back = 1
    elif row.unit is Unit.TOKENS:
        took = record.tokens_input + record.tokens_output
        gave_back = met.estimated_tokens - took
    left = min(limit.limit, max(0, limit.remaining + gave_back))
    return {"limit": limit.dimension, "of": limit.limit, "consumed": took, "left": left, "reset_s": limit.reset_s}


def _budget_body(budget: MetBudget, met: Circumstances, record: UsageRecord) -> dict[str, Any]:
    left = max(0, budget.left_micro_rub + met.hold_micro_rub - record.cost_micro_rub)
    return {
        "id": budget.id or None,
        "mode": budget.mode,
        "subject": budget.subject,
        "period": budget.period,
        "of_rub": roubles(budget.limit_micro_rub),
        "held_rub": roubles(met.hold_micro_rub),
        "consumed_rub": roubles(record.cost_micro_rub),
        "left_rub": roubles(left),
    }


def _price_of(record: UsageRecord, catalog: Catalog) -> Price | None:
    """Return the price by which a row was billed, if the catalogue still has it."""
    model = catalog.find(record.model)
    price = None if model is None else model.known_price_at(datetime.fromtimestamp(record.started_at_us / 1e6, UTC))
    return price if price is not None and price.version == record.price_version else None


def _price_body(record: UsageRecord, price: Price | None) -> dict[str, Any] | None:
    """Return how the cost comes about; the sum of the parts is rounded up to a whole micro-rouble."""
    if price is None or record.cache_status == CacheStatus.HIT.value or Flag.NOT_KEPT in record.flags.split(","):
        # What the cache answers costs a share of the price that a setting says; what no key keeps costs nothing.
        return None
    cached_price = price.cached_micro_rub_per_1k
    if cached_price is None:
        cached_price = price.input_micro_rub_per_1k
    fresh = record.tokens_input - record.tokens_cached
    return {
        "version": price.version,
        "input": _part(fresh, price.input_micro_rub_per_1k),
        "cached": _part(record.tokens_cached, cached_price),
        "output": _part(record.tokens_output, price.output_micro_rub_per_1k),
    }


def _part(tokens: int, micro_rub_per_1k: int) -> dict[str, Any]:
    nano_rub = tokens * micro_rub_per_1k
    exact = f"{nano_rub // 1_000_000_000}.{nano_rub % 1_000_000_000:09d}"
    return {"tokens": tokens, "rub_per_1k": roubles(micro_rub_per_1k), "rub": exact}


def _row_body(record: UsageRecord) -> dict[str, Any]:
    return {
        "id": record.request_id,
        "endpoint": record.endpoint,
        "requested_model": record.requested_model,
        "model": record.model,
        "resolved_model": record.resolved_model,
        "provider": record.provider,
        "status": _STATUS[record.status],
        "http_status": record.http_status,
        "error_code": record.error_code or None,
        "finish_reason": record.finish_reason or None,
        "stream": record.stream,
        "started_at": iso(record.started_at_us),
        "first_token_ms": record.first_token_ms,
        "latency_ms": record.latency_ms,
        "tokens_input": record.tokens_input,
        "tokens_output": record.tokens_output,
        "tokens_cached": record.tokens_cached,
        "tokens_reasoning": record.tokens_reasoning,
        "cost_rub": roubles(record.cost_micro_rub),
        "price_version": record.price_version,
        "counted_by": SOURCE_NAMES[record.source],
        "flags": record.flags.split(",") if record.flags else [],
        "over_hold_rub": roubles(record.over_hold_micro_rub),
        "dropped_params": record.dropped_params.split(SEPARATOR) if record.dropped_params else [],
        "cache_status": record.cache_status or None,
        "saved_rub": roubles(record.saved_micro_rub),
        "queue_ms": record.queue_ms,
        "fallback": record.fallbacks > 0,
        "metadata": record.metadata,
        "trace_id": record.trace_id,
        "attempts": [
            {
                "provider": attempt.provider,
                "model": attempt.model,
                "reason": attempt.reason or None,
                "latency_ms": attempt.latency_ms,
            }
            for attempt in record.attempts
        ],
    }


def iso(unix_us: int) -> str:
    """Return microseconds of Unix time as RFC 3339."""
    return datetime.fromtimestamp(unix_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
