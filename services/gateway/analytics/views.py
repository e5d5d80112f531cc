"""Figures as the API shows them: money as roubles and as micro-roubles, both exact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.gateway.clients.usage_statistics.values import (
    Figures,
    ModelChange,
    Period,
    Previous,
    Quantiles,
    RequestLine,
    Row,
    Whose,
)
from services.gateway.edge.money import money


def rfc3339(at: datetime) -> str:
    """Return a moment in UTC as RFC 3339 has it."""
    return at.isoformat().replace("+00:00", "Z")


def period_body(period: Period) -> dict[str, str]:
    """Return the period."""
    return {"from": rfc3339(period.since), "to": rfc3339(period.until), "time_zone": period.zone}


def whose_body(whose: Whose) -> str:
    """Return whose figures they are: `*` stands for everybody."""
    return whose.asker if whose.of is None else whose.of or "*"


def figures_body(figures: Figures) -> dict[str, Any]:
    """Return figures; a ratio of nothing is null."""
    return {
        "requests": figures.requests,
        "errors": figures.errors,
        "error_rate": round(figures.errors / figures.requests, 6) if figures.requests else None,
        "fallbacks": figures.fallbacks,
        "tokens_input": figures.tokens_input,
        "tokens_output": figures.tokens_output,
        "tokens_cached": figures.tokens_cached,
        "tokens_reasoning": figures.tokens_reasoning,
        **money("cost", figures.cost_micro_rub),
        **money("saved", figures.saved_micro_rub),
        "tokens_per_second": round(1000 * figures.tokens_streamed / figures.output_ms, 2)
        if figures.output_ms
        else None,
        "latency_ms": _quantiles(figures.latency),
        "first_token_ms": _quantiles(figures.first_token),
    }


def _quantiles(quantiles: Quantiles) -> dict[str, float | None]:
    found = {"p50": quantiles.p50_ms, "p95": quantiles.p95_ms, "p99": quantiles.p99_ms}
    return {name: None if value is None else round(value, 1) for name, value in found.items()}


def row_body(row: Row, group_by: Sequence[str]) -> dict[str, Any]:
    """Return the figures of a group in a bucket."""
    starts = {} if row.starts_at is None else {"starts_at": rfc3339(row.starts_at)}
    group = None if row.is_other else dict(zip(group_by, row.group, strict=True))
    return {**starts, "group": group, "is_other": row.is_other, **figures_body(row.figures)}


def previous_body(previous: Previous) -> dict[str, Any]:
    """Return the period before."""
    return {**period_body(previous.period), **figures_body(previous.total)}


def change_body(now: Figures, before: Figures) -> dict[str, Any]:
    """Return what changed; a percentage of nothing is null."""
    return {
        "requests": now.requests - before.requests,
        "requests_percent": _percent(now.requests, before.requests),
        "errors": now.errors - before.errors,
        "tokens_input": now.tokens_input - before.tokens_input,
        "tokens_output": now.tokens_output - before.tokens_output,
        **money("cost", now.cost_micro_rub - before.cost_micro_rub),
        "cost_percent": _percent(now.cost_micro_rub, before.cost_micro_rub),
    }


def _percent(now: int, before: int) -> float | None:
    return round(100 * (now - before) / before, 2) if before else None


def drivers_body(models: Sequence[ModelChange]) -> dict[str, Any]:
    """Return why the cost changed: the sums over all models."""
    return {
        "volume": money("cost", sum(model.volume_micro_rub for model in models)),
        "mix": money("cost", sum(model.mix_micro_rub for model in models)),
        "price": money("cost", sum(model.price_micro_rub for model in models)),
    }


def model_change_body(model: ModelChange) -> dict[str, Any]:
    """Return why the cost of one model changed."""
    return {
        "version": model.model,
        **money("before", model.before_micro_rub),
        **money("now", model.now_micro_rub),
        **money("volume", model.volume_micro_rub),
        **money("mix", model.mix_micro_rub),
        **money("price", model.price_micro_rub),
    }


def line_body(line: RequestLine) -> dict[str, Any]:
    """Return one request of the log."""
    return {
        "id": line.request_id,
        "created_at": rfc3339(line.created_at),
        "user_id": line.user_id,
        "key": line.key_id or None,
        "app": line.client_id or None,
        "provider": line.provider,
        "model": line.model.partition(":")[0],
        "version": line.model,
        "requested_model": line.requested_model,
        "resolved_model": line.resolved_model,
        "endpoint": line.endpoint,
        "status": line.status,
        "source": line.source,
        "error": line.error_code or None,
        "http_status": line.http_status,
        "stream": line.stream,
        "finish_reason": line.finish_reason or None,
        "tokens_input": line.tokens_input,
        "tokens_output": line.tokens_output,
        "tokens_cached": line.tokens_cached,
        "tokens_reasoning": line.tokens_reasoning,
        **money("cost", line.cost_micro_rub),
        "latency_ms": line.latency_ms,
        "first_token_ms": line.first_token_ms or None,
        "cache_status": line.cache_status or None,
        "tags": dict(line.tags),
    }
