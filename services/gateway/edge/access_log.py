"""One canonical line for each request. Never a prompt, a completion, a key or a token."""

from __future__ import annotations

from typing import Final

import structlog

from services.gateway.edge.request_context import RequestContext

log = structlog.get_logger("access")

# Where load balancers and orchestrators ask every few seconds.
HEALTH_PATHS: Final = ("/health", "/ready")


def write(context: RequestContext, seconds: float) -> None:
    """Write the line of a finished request."""
    fields: dict[str, object] = {
        "request_id": context.request_id,
        "trace_id": context.call.trace.trace_id,
        "method": context.method,
        "route": context.route,
        "status": context.status,
        "ms": round(seconds * 1000, 1),
    }
    caller = context.caller
    if caller is not None:
        fields["user_id"] = caller.user_id
        fields["key_id"] = caller.key_id
    if context.model:
        fields |= _paid(context)
    if context.cache_status:
        fields["cache"] = context.cache_status.value
    if context.replay_of:
        fields["replay_of"] = context.replay_of
    if context.error_code:
        fields["error"] = context.error_code
    if context.cut:
        fields["cut"] = context.cut
    # A balancer that asks each of three gateways every two seconds would write most of a quiet day's log.
    is_quiet = context.route in HEALTH_PATHS and context.status < 400
    (log.debug if is_quiet else log.info)("http.request", **fields)


def write_refused(request_id: str, *, status: int, error: str, problem: str) -> None:
    """Write the line of what was refused before anybody knew what it asks for."""
    log.info("http.request", request_id=request_id, route="unknown", status=status, error=error, problem=problem)


def _paid(context: RequestContext) -> dict[str, object]:
    return {
        "model": context.model,
        "provider": context.provider,
        "resolved_model": context.resolved_model,
        "stream": context.stream,
        "tokens_in": context.tokens_in,
        "tokens_out": context.tokens_out,
        "cost_micro_rub": context.cost_micro_rub,
        "finish_reason": context.finish_reason,
        "first_token_ms": context.first_token_ms,
    }
