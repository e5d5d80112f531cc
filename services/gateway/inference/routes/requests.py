"""GET /v1/generation and /v1/requests/{id}: what a request was and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from servicekit.errors import ErrorReason, NotFound
from services.gateway.clients.usage import UsageClient
from services.gateway.edge.money import roubles
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.edge.request_id import parse_request_id
from services.gateway.inference.explanation import SEPARATOR
from services.gateway.inference.routes.bodies import GenerationBody, RequestBody
from services.gateway.metering.usage_record import Source, Status, UsageRecord

_STATUS: Final = {Status.COMPLETED: "completed", Status.INTERRUPTED: "interrupted", Status.FAILED: "failed"}
_SOURCE: Final = {
    Source.PROVIDER: "provider",
    Source.ESTIMATED: "estimate",
    Source.REAPED: "reaper",
    Source.DISPUTED: "disputed",
}
Current = Annotated[RequestContext, Depends(current_context)]


def requests_router(usage: UsageClient) -> APIRouter:
    """Return the routes; they show a caller its own requests only."""
    router = APIRouter(tags=["requests"])

    async def find(context: RequestContext, text: str, param: str) -> UsageRecord:
        request_id = parse_request_id(text)
        if request_id is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such request.", param=param)
        return await usage.get_request(context.known_caller.user_id, request_id, context.call)

    @router.get("/v1/generation", response_model=GenerationBody)
    async def get_generation(
        context: Current, id: Annotated[str, Query(description="The `id` of an answer, or its x-request-id.")]
    ) -> dict[str, Any]:
        """Return the statistics of one generation. It is there a moment after the answer ended."""
        return {"data": generation_body(await find(context, id, "id"), id)}

    @router.get("/v1/requests/{request_id}", response_model=RequestBody)
    async def get_request(context: Current, request_id: str) -> dict[str, Any]:
        """Explain one request: what was asked, which attempts were made, what it cost and why."""
        return request_body(await find(context, request_id, "request_id"))

    return router


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


def request_body(record: UsageRecord) -> dict[str, Any]:
    """Return everything about a stored request."""
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
        "counted_by": _SOURCE[record.source],
        "flags": record.flags.split(",") if record.flags else [],
        "over_hold_rub": roubles(record.over_hold_micro_rub),
        "dropped_params": record.dropped_params.split(SEPARATOR) if record.dropped_params else [],
        "cache_status": record.cache_status or None,
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
